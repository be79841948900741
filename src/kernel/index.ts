/**
 * Arithmetic over many vectors, in WebAssembly SIMD.
 *
 * Sources are in assembly/ (AssemblyScript), the compiled bytes in module.generated.ts, and the meaning of
 * each kernel in scalar.ts, which the tests hold the bytes to. The room knows bytes, widths and sums; what
 * a distance is, how vectors are turned into codes and where they lie in memory is decided above it.
 */
export {
  type EncoderCalls,
  EncoderKernel,
  MULTIPLY_MODES,
  makeSharedMemory,
  packRow,
  type SharedMemory,
} from './encoder-kernel.ts';
export { Kernel, type KernelCalls, RESERVED_SHARE } from './kernel.ts';
export { dot, type QuantisedVector, quantise, scanList, scanRun, squaredL2 } from './scalar.ts';
export { scalarEncoder } from './scalar-encoder.ts';
