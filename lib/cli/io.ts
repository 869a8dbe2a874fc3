/** What a command reads from and writes to. The program has the process's own, a test has arrays. */
export interface Io {
  /** Resolves when stdout has taken it. Rejects with EPIPE when nobody reads any more. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** To stderr, at once. */
  error(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A file, or `-` for stdin, whole. */
  read(path: string): string;
  /** Aborted by SIGINT and SIGTERM, from the first look at it on. */
  interrupted(): AbortSignal;
}

/** Nobody reads stdout any more. */
export function isBrokenPipe(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === 'EPIPE';
}
