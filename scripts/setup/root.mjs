import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's directory. Everything is addressed from here, never from the caller's one. */
export const root = fileURLToPath(new URL('../../', import.meta.url));
export const inRoot = (...parts) => join(root, ...parts);
