/** What we use of WebAssembly; the compiler's library for Node does not declare it. */

/** A memory, of one thread or shared between several. */
export interface WasmMemory<Bytes extends ArrayBufferLike = ArrayBuffer> {
  readonly buffer: Bytes;
  /** Errors: `RangeError` when there is no more memory. */
  grow(pages: number): number;
}

/** How a memory is made. */
export interface WasmMemoryDescriptor {
  readonly initial: number;
  readonly maximum: number;
  readonly shared?: boolean;
}

/** The global object. */
interface Wasm {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  readonly Memory: {
    new (descriptor: WasmMemoryDescriptor & { readonly shared: true }): WasmMemory<SharedArrayBuffer>;
    new (descriptor: WasmMemoryDescriptor): WasmMemory;
  };
}

/** The engine's WebAssembly. */
export const wasm: Wasm = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

/** Bytes in a page, in which memories are counted. */
export const PAGE_BYTES = 65_536;
