"""The layers, one per file."""

from keras_attention.layers.action_values import ActionValues
from keras_attention.layers.alibi import ALiBi
from keras_attention.layers.attention_pooling import AttentionPooling
from keras_attention.layers.audio_converter import AudioConverter
from keras_attention.layers.bahdanau_attention import BahdanauAttention
from keras_attention.layers.block_sparse_attention import BlockSparseAttention
from keras_attention.layers.categorical_columns import CategoricalColumns
from keras_attention.layers.character_features import CharacterFeatures
from keras_attention.layers.class_token import ClassToken
from keras_attention.layers.entity_labels import EntityLabels
from keras_attention.layers.feed_forward import FeedForward
from keras_attention.layers.graph_attention import GraphAttention
from keras_attention.layers.image_augmentation import ImageAugmentation
from keras_attention.layers.image_converter import ImageConverter
from keras_attention.layers.labels import Labels
from keras_attention.layers.linear_attention import LinearAttention
from keras_attention.layers.log_mel_spectrogram import LogMelSpectrogram
from keras_attention.layers.luong_attention import LuongAttention
from keras_attention.layers.multi_head_cross_attention import MultiHeadCrossAttention
from keras_attention.layers.multi_head_self_attention import MultiHeadSelfAttention
from keras_attention.layers.ngram_convolution import NGramConvolution
from keras_attention.layers.numeric_columns import NumericColumns
from keras_attention.layers.patch_embedding import PatchEmbedding
from keras_attention.layers.positional_encoding import PositionalEncoding
from keras_attention.layers.quantities import Quantities
from keras_attention.layers.recurrent_decoder import RecurrentDecoder
from keras_attention.layers.relative_position_bias import RelativePositionBias
from keras_attention.layers.reversible_normalization import ReversibleNormalization
from keras_attention.layers.rms_normalization import RMSNormalization
from keras_attention.layers.rotary_embedding import RotaryEmbedding
from keras_attention.layers.segment_pooling import SegmentPooling
from keras_attention.layers.shaw_relative_position import ShawRelativePosition
from keras_attention.layers.shifted_window_attention import ShiftedWindowAttention
from keras_attention.layers.spectrogram_augmentation import SpectrogramAugmentation
from keras_attention.layers.token_embedding import TokenEmbedding
from keras_attention.layers.tokenizer import Tokenizer
from keras_attention.layers.transformer_block import TransformerBlock
from keras_attention.layers.transformer_decoder_block import TransformerDecoderBlock
from keras_attention.layers.waveform_augmentation import WaveformAugmentation

__all__ = [
    "ALiBi",
    "ActionValues",
    "AttentionPooling",
    "AudioConverter",
    "BahdanauAttention",
    "BlockSparseAttention",
    "CategoricalColumns",
    "CharacterFeatures",
    "ClassToken",
    "EntityLabels",
    "FeedForward",
    "GraphAttention",
    "ImageAugmentation",
    "ImageConverter",
    "Labels",
    "LinearAttention",
    "LogMelSpectrogram",
    "LuongAttention",
    "MultiHeadCrossAttention",
    "MultiHeadSelfAttention",
    "NGramConvolution",
    "NumericColumns",
    "PatchEmbedding",
    "PositionalEncoding",
    "Quantities",
    "RMSNormalization",
    "RecurrentDecoder",
    "RelativePositionBias",
    "ReversibleNormalization",
    "RotaryEmbedding",
    "SegmentPooling",
    "ShawRelativePosition",
    "ShiftedWindowAttention",
    "SpectrogramAugmentation",
    "TokenEmbedding",
    "Tokenizer",
    "TransformerBlock",
    "TransformerDecoderBlock",
    "WaveformAugmentation",
]
