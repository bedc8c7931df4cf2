"""The operations that a SavedModel of a stranger may have: they read and write tensors, and nothing else.

A SavedModel is a program. Loading it calls functions in it, and so does each request. Before that, every operation of
every function is looked up here; those that touch files, Python, the network, other devices or another library are
missing, and so are those that no export needs.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

from pipelines.errors import UserError
from tfrec.serving import protos

# What the functions that TensorFlow adds for saving and restoring weights have besides; loading calls neither.
SAVING = frozenset(["SaveV2", "RestoreV2", "ShardedFilename", "MergeV2Checkpoints"])


def require_allowed(path: pathlib.Path) -> None:
    """Checks the operations of a SavedModel, of which nothing runs.

    Args:
        path: the version's folder.

    Raises:
        UserError: for an operation that is not allowed; it names the operation. A file that cannot be read raises too.
    """
    try:
        saved = protos.read_saved_model(path)
    except (OSError, DecodeError):
        raise UserError(f"The export {path} is damaged or incomplete: export the run again.") from None
    for graph in saved.meta_graphs:
        saving = _saving_functions(graph)
        for function, name in _operations(graph):
            if name in ALLOWED or (name in SAVING and function in saving):
                continue
            place = f"its function {function}" if function else "its graph"
            raise UserError(
                f"{path} is not run: {place} has the operation {name}, which is not among those that only compute;"
                " --trust runs it all the same, if you trust who made it."
            )


def _operations(graph: Any) -> Iterator[tuple[str, str]]:
    """(function, or "" for the graph itself; operation) of every node that does not call a function of the graph."""
    functions = {function.signature.name for function in graph.graph_def.library.function}
    for name, nodes in [("", graph.graph_def.node), *((f.signature.name, f.node_def) for f in _functions(graph))]:
        yield from ((name, node.op) for node in nodes if node.op not in functions)


def _functions(graph: Any) -> Any:
    return graph.graph_def.library.function


def _saving_functions(graph: Any) -> set[str]:
    """Functions that only the nodes of the graph's saver call, which nothing runs."""
    saver = graph.saver_def
    ends = {saver.save_tensor_name.partition(":")[0], saver.restore_op_name}
    called = {node.attr["f"].func.name for node in graph.graph_def.node if node.name in ends and "f" in node.attr}
    used_elsewhere = set(graph.object_graph_def.concrete_functions)
    for nodes in (graph.graph_def.node, *(function.node_def for function in _functions(graph))):
        for node in nodes:
            if node.name not in ends or nodes is not graph.graph_def.node:
                used_elsewhere |= {node.op, *_named_functions(node)}
    return called - used_elsewhere


def _named_functions(node: Any) -> Iterator[str]:
    """The functions that the attributes of a node name."""
    for value in node.attr.values():
        yield value.func.name
        yield from (each.name for each in value.list.func)


ALLOWED = frozenset(
    """
Abs AccumulateNV2 Acos Acosh Add AddN AddV2 AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation All Angle
Any ApproxTopK ApproximateEqual ArgMax ArgMin AsString Asin Asinh Assert AssignAddVariableOp
AssignSubVariableOp AssignVariableOp Atan Atan2 Atanh AudioSpectrogram AvgPool AvgPool3D BandedTriangularSolve
BatchCholesky BatchDatasetV2 BatchFFT BatchFFT2D BatchFFT3D BatchIFFT BatchIFFT2D BatchIFFT3D BatchMatMul BatchMatMulV2
BatchMatMulV3 BatchMatrixBandPart BatchMatrixDeterminant BatchMatrixDiag BatchMatrixDiagPart BatchMatrixInverse
BatchMatrixSetDiag BatchMatrixSolve BatchMatrixSolveLs BatchMatrixTriangularSolve BatchNormWithGlobalNormalization
BatchSelfAdjointEig BatchSelfAdjointEigV2 BatchSvd BatchToSpace BatchToSpaceND BesselI0 BesselI0e BesselI1 BesselI1e
BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Betainc BiasAdd BiasAddV1 Bincount Bitcast
BitwiseAnd BitwiseOr BitwiseXor BlockLSTM BlockLSTMV2 BroadcastArgs BroadcastTo Bucketize CTCBeamSearchDecoder
CTCGreedyDecoder CTCLoss CTCLossV2 Case Cast Ceil Cholesky ClipByValue CombinedNonMaxSuppression Complex ComplexAbs
Concat ConcatOffset ConcatV2 ConcatenateDataset Conj ConjugateTranspose Const ControlTrigger Conv2D Conv3D Cos Cosh
CropAndResize Cross Cumprod Cumsum CumulativeLogsumexp DataFormatDimMap DataFormatVecPermute DatasetToSingleElement
Dawsn DecodeAndCropJpeg DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePaddedRaw DecodePng DecodeRaw
DecodeWav DenseBincount DenseCountSparseOutput DenseToDenseSetOperation DenseToSparseSetOperation DepthToSpace
DepthwiseConv2dNative Dequantize Diag DiagPart Digamma
Dilation2D DisableCopyOnRead Div DivNoNan DrawBoundingBoxes DrawBoundingBoxesV2 DynamicPartition DynamicStitch
EditDistance Eig Einsum Elu EmptyTensorList EncodeBase64 EncodeJpeg EncodeJpegVariableQuality EncodePng EncodeWav
EnsureShape Enter Equal Erf Erfc Erfinv EuclideanNorm Exit Exp ExpandDims Expint Expm1 ExtractGlimpse ExtractGlimpseV2
ExtractImagePatches ExtractJpegShape ExtractVolumePatches FFT FFT2D FFT3D FFTND FakeParam FakeQuantWithMinMaxArgs
FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill FilterDataset Floor FloorDiv FloorMod FractionalAvgPool
FractionalMaxPool FresnelCos FresnelSin FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D
FusedResizeAndPadConv2D GRUBlockCell Gather GatherNd GatherV2 Greater GreaterEqual
HSVToRGB HashTableV2 HistogramFixedWidth IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND Identity IdentityN If
Igamma Igammac IgnoreErrorsDataset Imag ImageProjectiveTransformV2 ImageProjectiveTransformV3 InTopK InTopKV2
InitializeTableV2 Inv Invert InvertPermutation IsFinite IsInf IsNan KthOrderStatistic L2Loss LRN LSTMBlockCell
LeakyRelu LeftShift Less LessEqual Lgamma LinSpace ListDiff Log Log1p LogMatrixDeterminant LogSoftmax LogicalAnd
LogicalNot LogicalOr LookupTableExportV2 LookupTableFindV2 LookupTableImportV2 LookupTableInsertV2 LookupTableSizeV2
LoopCond LowerBound Lu MapDataset MatMul MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart
MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixExponential MatrixInverse MatrixLogarithm
MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Max
MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Merge Mfcc Min Minimum MirrorPad Mod Mul MulNoNan
Multinomial MutableDenseHashTableV2 MutableHashTableV2 Ndtri Neg NextAfter NextIteration NoOp NonMaxSuppression
NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps NotEqual
NthElement OneHot OnesLike OptionsDataset Pack Pad PadV2 PaddedBatchDatasetV2 ParallelDynamicStitch
ParallelMapDatasetV2 ParseExampleV2 PartitionedCall Placeholder PlaceholderV2 PlaceholderWithDefault
Polygamma PopulationCount Pow PrefetchDataset Prod Qr QuantizeAndDequantize QuantizeAndDequantizeV2
QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 RFFT RFFT2D RFFT3D RFFTND RGBToHSV RaggedBincount
RaggedCountSparseOutput RaggedCross RaggedFillEmptyRows RaggedGather RaggedRange RaggedTensorFromVariant
RaggedTensorToSparse RaggedTensorToTensor RaggedTensorToVariant RandomIndexShuffle RandomShuffle RandomStandardNormal
RandomUniform RandomUniformInt Range RangeDataset Rank ReadVariableOp Real RealDiv Reciprocal ReduceDataset ReduceJoin
RegexFullMatch RegexReplace Relu Relu6 Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor
ResourceGather ResourceGatherNd Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt
SampleDistortedBoundingBoxV2 ScaleAndTranslate ScatterNd ScatterNdNonAliasingAdd SegmentMax SegmentMaxV2 SegmentMean
SegmentMin SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select SelectV2 SelfAdjointEig
SelfAdjointEigV2 Selu SetSize Shape ShapeN Sigmoid Sign Sin Sinh Size SkipDataset Slice Softmax
SoftmaxCrossEntropyWithLogits Softplus Softsign SpaceToBatch SpaceToBatchND SpaceToDepth SparseAdd SparseBincount
SparseConcat SparseCountSparseOutput SparseCross SparseCrossHashed SparseCrossV2 SparseDenseCwiseAdd
SparseDenseCwiseDiv SparseDenseCwiseMul SparseFillEmptyRows SparseMatMul SparseReduceMax SparseReduceMaxSparse
SparseReduceSum SparseReduceSumSparse SparseReorder SparseReshape SparseSegmentMean SparseSegmentMeanWithNumSegments
SparseSegmentSqrtN SparseSegmentSqrtNWithNumSegments SparseSegmentSum SparseSegmentSumWithNumSegments SparseSlice
SparseSoftmax SparseSoftmaxCrossEntropyWithLogits SparseSparseMaximum SparseSparseMinimum SparseSplit
SparseTensorDenseAdd SparseTensorDenseMatMul SparseToDense SparseToSparseSetOperation Spence Split SplitV Sqrt Square
SquaredDifference Squeeze StatefulPartitionedCall StatelessCase StatelessIf StatelessMultinomial
StatelessParameterizedTruncatedNormal StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGammaV3
StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
StatelessRandomPoisson StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2
StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessSampleDistortedBoundingBox
StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2 StatelessWhile StaticRegexFullMatch
StaticRegexReplace StopGradient StridedSlice StringFormat StringJoin StringLength StringLower
StringNGrams StringSplit StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast StringToHashBucketStrong
StringToNumber StringUpper Sub Substr Sum Svd Switch TakeDataset Tan Tanh TensorArrayCloseV3 TensorArrayConcatV3
TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3
TensorArrayWriteV3 TensorDataset TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGather
TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack TensorListReserve TensorListResize
TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack TensorScatterAdd TensorScatterMax
TensorScatterMin TensorScatterSub TensorScatterUpdate TensorSliceDataset Tile TopK TopKUnique TopKV2 TopKWithUnique
Transpose TridiagonalMatMul TridiagonalSolve TruncateDiv TruncateMod TruncatedNormal UnicodeDecode
UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode Unique UniqueV2 UniqueWithCounts
UniqueWithCountsV2 Unpack UnravelIndex UnsortedSegmentJoin UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
UnsortedSegmentSum UpperBound VarHandleOp VarIsInitializedOp VariableShape Where While Xdivy Xlog1py Xlogy ZerosLike
Zeta ZipDataset
""".split()  # noqa: SIM905
)
