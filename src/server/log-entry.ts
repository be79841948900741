/** What a server tells about a request it has answered, or about a fault of its own. */
export interface LogEntry {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly event: string;
  readonly [detail: string]: string | number | boolean | null;
}
