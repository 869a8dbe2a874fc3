// The programs and libraries that only the system can give.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { run } from './child.mjs';
import { StepError } from './report.mjs';

const NEEDED = [
  { debian: 'pkg-config', upstream: 'pkgconf', command: 'pkg-config' },
  { debian: 'libmnl-dev', upstream: 'libmnl', library: 'libmnl' },
  { debian: 'libnfnetlink-dev', upstream: 'libnfnetlink', library: 'libnfnetlink' },
  {
    debian: 'libnetfilter-conntrack-dev',
    upstream: 'libnetfilter_conntrack',
    library: 'libnetfilter_conntrack',
  },
  { debian: 'g++', upstream: 'GCC (C++20)', command: 'g++', unless: 'CXX' },
  { debian: 'make', upstream: 'GNU make', command: 'make' },
  { debian: 'python3', upstream: 'Python 3', command: 'python3', unless: 'PYTHON' },
  { debian: 'iproute2', upstream: 'iproute2', command: 'ip' },
  { debian: 'nftables', upstream: 'nftables', command: 'nft' },
  { debian: 'iputils-ping', upstream: 'iputils', command: 'ping' },
  { debian: 'util-linux', upstream: 'util-linux', command: 'unshare' },
];
const NEEDED_BY_TESTS = [
  { debian: 'conntrack', upstream: 'conntrack-tools', command: 'conntrack' },
];
const WANTED_BY_TESTS = [
  { debian: 'cmake', upstream: 'CMake', command: 'cmake' },
  { debian: 'clang-tidy', upstream: 'clang-tidy', command: 'clang-tidy' },
  { debian: 'valgrind', upstream: 'Valgrind', command: 'valgrind' },
  { debian: 'clang libclang-rt-dev', upstream: 'Clang with its runtimes', command: 'clang++' },
];

// An ordinary user's PATH often lacks these, and ip, nft and conntrack live there.
process.env.PATH = [process.env.PATH, '/usr/sbin', '/sbin'].filter(Boolean).join(':');

/** The full path of a program, or undefined. */
export function findCommand(name) {
  for (const directory of process.env.PATH.split(':')) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

const hasLibraries = (...names) => spawnSync('pkg-config', ['--exists', ...names]).status === 0;

function missingFrom(packages) {
  const libraries = packages.flatMap(({ library }) => library ?? []);
  const allLibraries = libraries.length === 0 || hasLibraries(...libraries);
  return packages.filter(({ command, library, unless }) => {
    if (unless !== undefined && process.env[unless] !== undefined) return false;
    if (command !== undefined) return findCommand(command) === undefined;
    return !allLibraries && !hasLibraries(library);
  });
}

const isRoot = () => process.getuid() === 0;
const hasApt = () => findCommand('apt-get') !== undefined;
const debianNames = (packages) => packages.flatMap(({ debian }) => debian.split(' '));
const names = (packages) =>
  (hasApt() ? debianNames(packages) : packages.map(({ upstream }) => upstream)).join(' ');

/** The one command, or the sentence where there is none, that brings the packages. */
function remedyFor(packages) {
  if (!hasApt()) return `install these with the system's package manager: ${names(packages)}`;
  const sudo = isRoot() ? '' : 'sudo ';
  return `${sudo}apt-get update && ${sudo}apt-get install -y ${names(packages)}`;
}

/** The step that brings what everything needs. */
export function systemPackages({ forTests }) {
  const wanted = forTests ? [...NEEDED, ...NEEDED_BY_TESTS] : NEEDED;
  return {
    title: 'system packages',
    missing: () => missingFrom(wanted).length > 0,
    async make(progress) {
      const missing = missingFrom(wanted);
      // Whoever types a command should type it once, for start and for test.
      const everything = missingFrom([...NEEDED, ...NEEDED_BY_TESTS, ...WANTED_BY_TESTS]);
      const remedy = remedyFor(isRoot() ? missing : everything);
      if (!hasApt() || !isRoot()) {
        throw new StepError(`Missing on this system: ${names(missing)}.`, { remedy });
      }
      await install(debianNames(missing), progress, remedy);
      const still = missingFrom(wanted);
      if (still.length > 0) {
        throw new StepError(`Installed, but still not found: ${names(still)}.`, { remedy });
      }
      return names(missing);
    },
  };
}

/** The step that brings what some tests want and can do without. */
export function optionalPackages() {
  return {
    title: 'optional packages',
    missing: () => isRoot() && hasApt() && missingFrom(WANTED_BY_TESTS).length > 0,
    async make(progress) {
      const missing = missingFrom(WANTED_BY_TESTS);
      try {
        await install(debianNames(missing), progress, '');
        return names(missing);
      } catch (error) {
        if (!(error instanceof StepError)) throw error;
        return `${names(missing)} not available`;
      }
    },
  };
}

/** Why an optional program is not there, for the step that is skipped without it. */
export const withoutCommand = (name) => {
  const wanted = WANTED_BY_TESTS.filter(({ command }) => command === name);
  return `${name} is not installed: ${remedyFor(wanted)}`;
};

async function install(packages, progress, remedy) {
  const options = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Options::=--force-confold'];
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => run('apt-get', [...options, ...args], { env, onLine: progress });
  const installation = ['install', '-y', '--no-install-recommends', ...packages];

  const first = hasPackageLists() ? await apt(...installation) : { code: 1 };
  if (first.code === 0) return;
  // The lists are absent or too old, or an earlier installation was cut off.
  await run('dpkg', ['--configure', '-a', '--force-confold'], { env, onLine: progress });
  const update = await apt('update');
  const second = await apt(...installation);
  if (second.code === 0) return;
  const output = update.code === 0 ? second.output : update.output + second.output;
  throw new StepError(`apt-get could not install ${packages.join(' ')}.`, { output, remedy });
}

function hasPackageLists() {
  const lists = '/var/lib/apt/lists';
  return existsSync(lists) && readdirSync(lists).some((name) => name.includes('_Packages'));
}
