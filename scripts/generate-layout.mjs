// Turns native/core/layout.txt into native/core/record.h and lib/layout.ts.
//   node scripts/generate-layout.mjs           writes both
//   node scripts/generate-layout.mjs --check   exits 1 if either is not current
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const SOURCE = 'native/core/layout.txt';
const INTEGER_SIZE = { u8: 1, u16: 2, u32: 4, u64: 8 };

function parse(text) {
  const layout = { records: new Map(), constants: new Map() };
  let section;
  text.split('\n').forEach((raw, index) => {
    const line = raw.replace(/#.*/, '').trimEnd();
    if (line === '') return;
    const words = line.trim().split(/\s+/);
    const fail = (why) => {
      throw new Error(`${SOURCE}:${String(index + 1)}: ${why}: ${line}`);
    };
    if (words[0] === 'record') {
      section = { kind: 'record', fields: [], size: 0, align: 1, flags: [] };
      layout.records.set(words[1], section);
    } else if (words[0] === 'constants') {
      section = { kind: 'constants', values: [] };
      layout.constants.set(words[1], section);
    } else if (section === undefined) {
      fail('outside of a section');
    } else if (section.kind === 'constants') {
      section.values.push({ name: words[0], value: Number(words[1]) });
    } else {
      addField(layout, section, words, fail);
    }
  });
  for (const [name, record] of layout.records) {
    if (record.size % record.align !== 0)
      throw new Error(`${SOURCE}: ${name} needs padding at its end`);
  }
  return layout;
}

function addField(layout, record, [name, typeText, optional], fail) {
  const match = /^(\w+?)(?:\[(\d+)\])?$/.exec(typeText) ?? fail('bad type');
  const [, type, count] = match;
  const nested = layout.records.get(type);
  const size = nested?.size ?? INTEGER_SIZE[type] ?? fail('unknown type');
  const align = nested?.align ?? size;
  if (record.size % align !== 0) fail(`a hole before the field (offset ${String(record.size)})`);
  record.fields.push({
    name,
    type,
    count: count === undefined ? undefined : Number(count),
    offset: record.size,
  });
  if (optional === '?') record.flags.push(name);
  record.size += size * Number(count ?? 1);
  record.align = Math.max(record.align, align);
}

// Words of layout.txt that C++ keeps for itself.
const CXX_KEYWORDS = new Set(['class', 'new']);
const cxxName = (name) => (CXX_KEYWORDS.has(name) ? `${name}_` : name);
const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);
const banner = (comment) =>
  `${comment} Generated from ${SOURCE} by scripts/generate-layout.mjs. Do not edit.\n`;

function toHeader(layout, version) {
  let out = banner('//');
  out += '#pragma once\n\n#include <cstddef>\n#include <cstdint>\n\nnamespace nfconntrack {\n\n';
  out +=
    'using u8 = std::uint8_t;\nusing u16 = std::uint16_t;\nusing u32 = std::uint32_t;\nusing u64 = std::uint64_t;\n\n';
  out += `inline constexpr char kLayoutVersion[] = "${version}";\n`;
  for (const [name, { values }] of layout.constants) {
    out += `\nnamespace ${capital(name)} {\n`;
    for (const { name: key, value } of values)
      out += `inline constexpr u8 k${capital(key)} = ${String(value)};\n`;
    out += `}  // namespace ${capital(name)}\n`;
  }
  for (const [name, record] of layout.records) {
    out += `\nstruct ${name}Record {\n`;
    record.flags.forEach((flag, bit) => {
      out += `  static constexpr u32 kHas${capital(flag)} = 1U << ${String(bit)};\n`;
    });
    for (const { name: field, type, count } of record.fields) {
      const cxx = type in INTEGER_SIZE ? type : `${type}Record`;
      out += `  ${cxx} ${cxxName(field)}${count === undefined ? '' : `[${String(count)}]`};\n`;
    }
    out += '};\n';
    out += `static_assert(sizeof(${name}Record) == ${String(record.size)});\n`;
    for (const { name: field, offset } of record.fields) {
      out += `static_assert(offsetof(${name}Record, ${cxxName(field)}) == ${String(offset)});\n`;
    }
  }
  return `${out}\n}  // namespace nfconntrack\n`;
}

function toTypeScript(layout, version) {
  let out = banner('//');
  out += `\nexport const LAYOUT_VERSION = '${version}';\n`;
  for (const [name, { values }] of layout.constants) {
    out += `\nexport const ${capital(name)} = {\n`;
    for (const { name: key, value } of values) out += `  ${key}: ${String(value)},\n`;
    out += '} as const;\n';
  }
  for (const [name, record] of layout.records) {
    out += `\n/** Offsets in bytes of ${name}Record's members. */\nexport const ${name}Offset = {\n`;
    for (const { name: field, offset } of record.fields) out += `  ${field}: ${String(offset)},\n`;
    out += `} as const;\n\nexport const ${name.toUpperCase()}_SIZE = ${String(record.size)};\n`;
    if (record.flags.length === 0) continue;
    out += `\n/** Bits of ${name}Record's \`presence\`. */\nexport const ${name}Has = {\n`;
    record.flags.forEach((flag, bit) => {
      out += `  ${flag}: 0x${(2 ** bit).toString(16)},\n`;
    });
    out += '} as const;\n';
  }
  return out;
}

const source = readFileSync(new URL(SOURCE, root), 'utf8');
const layout = parse(source);
const facts = JSON.stringify([...layout.records, ...layout.constants]);
const version = createHash('sha256').update(facts).digest('hex').slice(0, 16);
const outputs = {
  'native/core/record.h': toHeader(layout, version),
  'lib/layout.ts': toTypeScript(layout, version),
};

const check = process.argv.includes('--check');
for (const [path, text] of Object.entries(outputs)) {
  const url = new URL(path, root);
  if (!check) writeFileSync(url, text);
  else if (readFileSync(url, 'utf8') !== text) {
    console.error(`${fileURLToPath(url)} is not current: run \`npm run layout\``);
    process.exitCode = 1;
  }
}
