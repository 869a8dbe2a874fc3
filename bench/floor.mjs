// The C++ program that is the floor, and the generator.
import { mkdirSync, readdirSync } from 'node:fs';

import { inRoot } from '../scripts/setup/root.mjs';

export function buildFloor(run) {
  mkdirSync(inRoot('build/bench'), { recursive: true });
  const sources = readdirSync(inRoot('bench/native'))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => inRoot('bench/native', name));
  const flags = ['-O2', '-std=c++20', '-Wall', '-Wextra', '-pthread'];
  return run(process.env.CXX ?? 'g++', [...flags, ...sources, '-o', inRoot('build/bench/floor')]);
}
