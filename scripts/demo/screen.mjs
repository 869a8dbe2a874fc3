// How events and flows look in 80 columns; plain text where nobody sees colours.
const coloured = process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const paint = (code) => (text) => (coloured ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = paint('1');
const dim = paint('2');
const PAINTED = { new: paint('32'), update: paint('33'), destroy: paint('31'), gap: paint('41') };
const translated = paint('36');

/** The local time of day, to the millisecond. */
function clock(time) {
  const offset = new Date(time).getTimezoneOffset() * 60_000;
  return new Date(time - offset).toISOString().slice(11, 23);
}

const endpoint = (address, port) => {
  if (port === undefined) return address;
  return `${address.includes(':') ? `[${address}]` : address}:${String(port)}`;
};

/** What TCP calls a state; for the others, how far the kernel has seen the exchange. */
function stateOf(flow) {
  if (flow.state !== undefined) return flow.state;
  if (flow.assured) return 'assured';
  return flow.seenReply ? 'replied' : 'unreplied';
}

const original = ({ orig }) => {
  const ends = `${endpoint(orig.src, orig.sport)} > ${endpoint(orig.dst, orig.dport)}`;
  return orig.icmpId === undefined ? ends : `${ends} id ${String(orig.icmpId)}`;
};

/** The same packets after translation: the reply direction, read backwards. */
const afterNat = ({ reply }) =>
  `${endpoint(reply.dst, reply.dport)} > ${endpoint(reply.src, reply.sport)}`;

const isTranslated = (flow) => flow.srcNat || flow.dstNat;

/** The lines of one event. */
export function eventLines(event) {
  if (event.type === 'gap') {
    const lost = `${String(event.kernelDrops)} in the kernel, ${String(event.queueDrops)} here`;
    return [PAINTED.gap(`${clock(event.until)} events lost: ${lost}`)];
  }
  const { type, flow, time } = event;
  const word = PAINTED[type](type.toUpperCase().padEnd(7));
  const what = `${flow.protocol.padEnd(6)} ${stateOf(flow).padEnd(11)}`;
  const lines = [`${dim(clock(time))} ${word} ${what} ${original(flow)}`];
  if (type === 'new' && isTranslated(flow)) {
    lines.push(`${' '.repeat(21)}${translated(`translated to ${afterNat(flow)}`)}`);
  }
  if (type === 'destroy' && flow.orig.packets !== undefined) {
    lines.push(`${' '.repeat(21)}${dim(carried(flow))}`);
  }
  return lines;
}

const amount = ({ packets, bytes }) =>
  `${String(packets)} ${packets === 1 ? 'packet' : 'packets'} ${String(bytes)} B`;
const carried = (flow) => `carried ${amount(flow.orig)} out, ${amount(flow.reply)} back`;

/** The lines of one flow of the table. */
export function flowLines(flow) {
  const timeout = flow.timeout === undefined ? '' : `${String(flow.timeout)} s left`;
  const lines = [
    `${flow.protocol.padEnd(6)} ${stateOf(flow).padEnd(11)} ${original(flow)}  ${dim(timeout)}`,
  ];
  if (isTranslated(flow)) lines.push(`  ${translated(`translated to ${afterNat(flow)}`)}`);
  if (flow.orig.packets !== undefined) lines.push(`  ${dim(carried(flow))}`);
  return lines;
}

/** Writes lines; a reader that went away, as head(1) does, ends the program and is no error. */
export const write = (...lines) => process.stdout.write(lines.map((line) => `${line}\n`).join(''));
process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 1));
