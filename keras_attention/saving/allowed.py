"""The classes and functions of Keras that a file from a stranger may name.

None of them reads a file, runs code that the file brings, or hands over to another library's
objects. Not among them are therefore `Lambda`, `TextVectorization`, `TFSMLayer`, `JaxLayer`,
`FlaxLayer`, `TorchModuleWrapper`, and the operations that take functions, such as `Map`.
"""

from collections.abc import Iterator
from functools import cache

import keras

_LAYERS = """
Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop
Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D
Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D
Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense
Embedding Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D
GlobalMaxPooling3D GroupNormalization GroupQueryAttention HashedCrossing Hashing Identity
InputLayer IntegerLookup LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes
MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention
Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness
RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear
RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding
STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax Solarization
SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells
StringLookup Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D
ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
_OPTIMIZERS = """
Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer MultiOptimizer Muon
Nadam OptimizerMap RMSprop SGD ScheduleFreeAdamW
"""
_SCHEDULES = """
CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay
PolynomialDecay
"""
_LOSSES = """
BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy CategoricalFocalCrossentropy
CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity Dice Hinge Huber
KLDivergence LogCosh MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError
MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy SquaredHinge Tversky
"""
_METRICS = """
AUC Accuracy BinaryAccuracy BinaryCrossentropy BinaryIoU CategoricalAccuracy
CategoricalCrossentropy CategoricalHinge ConcordanceCorrelation CosineSimilarity F1Score FBetaScore
FalseNegatives FalsePositives Hinge IoU KLDivergence LogCoshError Mean MeanAbsoluteError
MeanAbsolutePercentageError MeanIoU MeanMetricWrapper MeanSquaredError MeanSquaredLogarithmicError
OneHotIoU OneHotMeanIoU PearsonCorrelation Poisson Precision PrecisionAtRecall R2Score Recall
RecallAtPrecision RootMeanSquaredError SensitivityAtSpecificity SparseCategoricalAccuracy
SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy SpecificityAtSensitivity SquaredHinge
Sum TopKCategoricalAccuracy TrueNegatives TruePositives
"""
_CLASSES = {
    "keras": "DTypePolicy FloatDTypePolicy Model Sequential",
    "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
    "keras.dtype_policies": """DTypePolicy DTypePolicyMap FloatDTypePolicy Int4DTypePolicy
        QuantizedDTypePolicy QuantizedFloat8DTypePolicy""",
    "keras.initializers": """Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity
        LecunNormal LecunUniform Ones Orthogonal RandomNormal RandomUniform STFT TruncatedNormal
        VarianceScaling Zeros""",
    "keras.layers": _LAYERS,
    "keras.losses": _LOSSES,
    "keras.metrics": _METRICS,
    "keras.models": "Model Sequential",
    "keras.optimizers": _OPTIMIZERS,
    "keras.optimizers.schedules": _SCHEDULES,
    "keras.quantizers": """AbsMaxQuantizer Float8QuantizationConfig Int4QuantizationConfig
        Int8QuantizationConfig""",
    "keras.random": "SeedGenerator",
    "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
    # Of its applications, not exported.
    "keras.src.applications.convnext": "LayerScale StochasticDepth",
    "keras.src.applications.inception_resnet_v2": "CustomScaleLayer",
    "keras.src.models.functional": "Functional",
}
_TAKE_FUNCTIONS = {
    "AssociativeScan", "Cond", "ForiLoop", "JVP", "Map", "Scan", "Switch", "VectorizedMap",
    "WhileLoop",
}  # fmt: skip
_FUNCTIONS = ("activations", "losses", "metrics")
_NO_FUNCTIONS = {"deserialize", "get", "serialize"}


def is_class(module: object, name: object) -> bool:
    """Whether a file may name this class of Keras."""
    return (module, name) in _classes() or (module, name) in _operations()


def is_function(module: object, name: object) -> bool:
    """Whether a file may name this function of Keras: an activation, a loss or a metric.

    Keras writes the module of most as `builtins` and finds them by name.
    """
    modules = ("builtins", *(f"keras.{part}" for part in _FUNCTIONS))
    return module in modules and name in _functions()


@cache
def _classes() -> frozenset[tuple[str, str]]:
    return frozenset((module, name) for module, names in _CLASSES.items() for name in names.split())


@cache
def _operations() -> frozenset[tuple[str, str]]:
    """Returns the classes of the layers that `x * 2` and its like become in a functional model."""
    return frozenset(
        (operation.__module__, operation.__name__)
        for operation in _subclasses(keras.Operation)
        if operation.__module__.startswith("keras.src.ops.")
        and operation.__name__ not in _TAKE_FUNCTIONS
    )


def _subclasses(cls: type) -> Iterator[type]:
    each: type
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)


@cache
def _functions() -> frozenset[str]:
    return frozenset(
        name
        for part in _FUNCTIONS
        for name in dir(getattr(keras, part))
        if callable(getattr(getattr(keras, part), name)) and name not in _NO_FUNCTIONS
    )
