"""The layers, one per file."""

from keras_attention.layers.attention.attention_pooling import AttentionPooling
from keras_attention.layers.attention.bahdanau_attention import BahdanauAttention
from keras_attention.layers.attention.block_sparse_attention import BlockSparseAttention
from keras_attention.layers.attention.disentangled_attention import DisentangledAttention
from keras_attention.layers.attention.graph_attention import GraphAttention
from keras_attention.layers.attention.linear_attention import LinearAttention
from keras_attention.layers.attention.luong_attention import LuongAttention
from keras_attention.layers.attention.multi_head_cross_attention import MultiHeadCrossAttention
from keras_attention.layers.attention.multi_head_self_attention import MultiHeadSelfAttention
from keras_attention.layers.attention.segment_pooling import SegmentPooling
from keras_attention.layers.attention.shifted_window_attention import ShiftedWindowAttention
from keras_attention.layers.augmentation.image_augmentation import ImageAugmentation
from keras_attention.layers.augmentation.spectrogram_augmentation import SpectrogramAugmentation
from keras_attention.layers.augmentation.waveform_augmentation import WaveformAugmentation
from keras_attention.layers.blocks.disentangled_block import DisentangledBlock
from keras_attention.layers.blocks.feed_forward import FeedForward
from keras_attention.layers.blocks.ngram_convolution import NGramConvolution
from keras_attention.layers.blocks.recurrent_decoder import RecurrentDecoder
from keras_attention.layers.blocks.rms_normalization import RMSNormalization
from keras_attention.layers.blocks.transformer_block import TransformerBlock
from keras_attention.layers.blocks.transformer_decoder_block import TransformerDecoderBlock
from keras_attention.layers.inputs.audio_converter import AudioConverter
from keras_attention.layers.inputs.categorical_columns import CategoricalColumns
from keras_attention.layers.inputs.character_features import CharacterFeatures
from keras_attention.layers.inputs.class_token import ClassToken
from keras_attention.layers.inputs.date_columns import DateColumns
from keras_attention.layers.inputs.image_converter import ImageConverter
from keras_attention.layers.inputs.log_mel_spectrogram import LogMelSpectrogram
from keras_attention.layers.inputs.numeric_columns import NumericColumns
from keras_attention.layers.inputs.patch_embedding import PatchEmbedding
from keras_attention.layers.inputs.reversible_normalization import ReversibleNormalization
from keras_attention.layers.inputs.segment_embedding import SegmentEmbedding
from keras_attention.layers.inputs.sum_normalization import SumNormalization
from keras_attention.layers.inputs.token_embedding import TokenEmbedding
from keras_attention.layers.inputs.tokenizer import Tokenizer
from keras_attention.layers.outputs.action_values import ActionValues
from keras_attention.layers.outputs.answer_span import AnswerSpan
from keras_attention.layers.outputs.bias import Bias
from keras_attention.layers.outputs.entity_labels import EntityLabels
from keras_attention.layers.outputs.labels import Labels
from keras_attention.layers.outputs.masked_tokens import MaskedTokens
from keras_attention.layers.outputs.quantities import Quantities
from keras_attention.layers.outputs.token_pooling import TokenPooling
from keras_attention.layers.positions.alibi import ALiBi
from keras_attention.layers.positions.attention_bias import AttentionBias
from keras_attention.layers.positions.positional_encoding import PositionalEncoding
from keras_attention.layers.positions.relative_embedding import RelativeEmbedding
from keras_attention.layers.positions.relative_position_bias import RelativePositionBias
from keras_attention.layers.positions.rotary_embedding import RotaryEmbedding
from keras_attention.layers.positions.shaw_relative_position import ShawRelativePosition

__all__ = [
    "ALiBi",
    "ActionValues",
    "AnswerSpan",
    "AttentionBias",
    "AttentionPooling",
    "AudioConverter",
    "BahdanauAttention",
    "Bias",
    "BlockSparseAttention",
    "CategoricalColumns",
    "CharacterFeatures",
    "ClassToken",
    "DateColumns",
    "DisentangledAttention",
    "DisentangledBlock",
    "EntityLabels",
    "FeedForward",
    "GraphAttention",
    "ImageAugmentation",
    "ImageConverter",
    "Labels",
    "LinearAttention",
    "LogMelSpectrogram",
    "LuongAttention",
    "MaskedTokens",
    "MultiHeadCrossAttention",
    "MultiHeadSelfAttention",
    "NGramConvolution",
    "NumericColumns",
    "PatchEmbedding",
    "PositionalEncoding",
    "Quantities",
    "RMSNormalization",
    "RecurrentDecoder",
    "RelativeEmbedding",
    "RelativePositionBias",
    "ReversibleNormalization",
    "RotaryEmbedding",
    "SegmentEmbedding",
    "SegmentPooling",
    "ShawRelativePosition",
    "ShiftedWindowAttention",
    "SpectrogramAugmentation",
    "SumNormalization",
    "TokenEmbedding",
    "TokenPooling",
    "Tokenizer",
    "TransformerBlock",
    "TransformerDecoderBlock",
    "WaveformAugmentation",
]
