/** What the library throws, in the original's words. */
import { ConntrackError } from '../errors';
import { type CliFailure, failed } from './failure';
import type { Verb } from './legality';

/** strerror(3) of the GNU C library, of what the kernel answers. */
const GLIBC: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EINTR: 'Interrupted system call',
  EAGAIN: 'Resource temporarily unavailable',
  ENOMEM: 'Cannot allocate memory',
  EACCES: 'Permission denied',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  ENODEV: 'No such device',
  EINVAL: 'Invalid argument',
  ENFILE: 'Too many open files in system',
  EMFILE: 'Too many open files',
  ENOSPC: 'No space left on device',
  ERANGE: 'Numerical result out of range',
  EOPNOTSUPP: 'Operation not supported',
  ENOTSUP: 'Operation not supported',
  EPROTONOSUPPORT: 'Protocol not supported',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  ENOBUFS: 'No buffer space available',
  ESHUTDOWN: 'Cannot send after transport endpoint shutdown',
  ETIME: 'Timer expired',
  ETIMEDOUT: 'Connection timed out',
  EALREADY: 'Operation already in progress',
  E2BIG: 'Argument list too long',
};

const ABSENT = "such conntrack doesn't exist";

/** What an error means to a command, where the C library's text would not say it. */
const MEANINGS: Readonly<Record<string, Readonly<Partial<Record<Verb, string>>>>> = {
  EEXIST: { create: 'Such conntrack exists, try -U to update' },
  ENOENT: {
    create: ABSENT,
    add: ABSENT,
    get: ABSENT,
    delete: ABSENT,
    'expect-create': 'master conntrack not found',
  },
  ENOMEM: { create: 'not enough memory', get: 'not enough memory' },
  EAFNOSUPPORT: { get: 'protocol not supported' },
  ETIME: { create: 'conntrack has expired' },
};

const EVERYWHERE: Readonly<Record<string, string>> = {
  EINVAL: 'invalid parameters',
  EPERM: 'sorry, you must be root or get CAP_NET_ADMIN capability to do this',
};

/** The library's own words begin with what it tried; here they stand behind the program's name. */
function inItsOwnWords({ message }: ConntrackError): CliFailure {
  return failed(message);
}

/** Failures of getting to the kernel at all, which the original cannot have. */
const ELSEWHERE = ['open', 'setns', 'unshare'];

export function failureOf(error: unknown, verb: Verb): unknown {
  // What the library refuses of a flow's tuple is what the kernel would refuse.
  if (error instanceof RangeError && verb !== 'list') {
    return failed('Operation failed: invalid parameters');
  }
  if (!(error instanceof ConntrackError)) return error;
  const { code, syscall = '' } = error;
  if (!code.startsWith('E') || code.startsWith('ERR_') || ELSEWHERE.includes(syscall)) {
    return inItsOwnWords(error);
  }
  const text = MEANINGS[code]?.[verb] ?? EVERYWHERE[code] ?? GLIBC[code];
  return text === undefined ? inItsOwnWords(error) : failed(`Operation failed: ${text}`);
}
