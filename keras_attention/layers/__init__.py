"""The layers, one per file."""

from keras_attention.layers.alibi import ALiBi
from keras_attention.layers.attention_pooling import AttentionPooling
from keras_attention.layers.bahdanau_attention import BahdanauAttention
from keras_attention.layers.class_token import ClassToken
from keras_attention.layers.feed_forward import FeedForward
from keras_attention.layers.graph_attention import GraphAttention
from keras_attention.layers.luong_attention import LuongAttention
from keras_attention.layers.multi_head_cross_attention import MultiHeadCrossAttention
from keras_attention.layers.multi_head_self_attention import MultiHeadSelfAttention
from keras_attention.layers.patch_embedding import PatchEmbedding
from keras_attention.layers.positional_encoding import PositionalEncoding
from keras_attention.layers.relative_position_bias import RelativePositionBias
from keras_attention.layers.rotary_embedding import RotaryEmbedding
from keras_attention.layers.shaw_relative_position import ShawRelativePosition
from keras_attention.layers.transformer_block import TransformerBlock
from keras_attention.layers.transformer_decoder_block import TransformerDecoderBlock

__all__ = [
    "ALiBi",
    "AttentionPooling",
    "BahdanauAttention",
    "ClassToken",
    "FeedForward",
    "GraphAttention",
    "LuongAttention",
    "MultiHeadCrossAttention",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "PositionalEncoding",
    "RelativePositionBias",
    "RotaryEmbedding",
    "ShawRelativePosition",
    "TransformerBlock",
    "TransformerDecoderBlock",
]
