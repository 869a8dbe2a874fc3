// Netlink in pure JavaScript: the raw socket of the `netlink` package, and the fastest decoder that we could write
// for it: offsets by hand, plain objects of a fixed shape, nothing per attribute.
import { createRequire } from 'node:module';

import { measured, obey, say } from './commands.mjs';

const { RawNetlinkSocket } = createRequire(import.meta.url)('netlink');

const NETLINK_NETFILTER = 12;
const SUBSYSTEM = 1 << 8;
const [NEW, GET] = [0, 1];
const [ERROR, DONE] = [2, 3];
const [REQUEST, ACK, DUMP, CREATE, EXCL] = [0x1, 0x4, 0x300, 0x400, 0x200];
const DATAGRAM = 32 * 1024;
const HEADER = 20; // nlmsghdr and nfgenmsg
const NESTED = 0x8000;
const EVENT_BUFFER = 8 * 2 ** 20;
const TUPLE_ORIG = 1;
const TUPLE_REPLY = 2;

const ipv4 = (bytes, at) => `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
const be16 = (bytes, at) => (bytes[at] << 8) | bytes[at + 1];
const be32 = (bytes, at) =>
  ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
const be64 = (bytes, at) => be32(bytes, at) * 2 ** 32 + be32(bytes, at + 4);

function tuple(bytes, start, end) {
  const result = { src: '', dst: '', protonum: 0, sport: 0, dport: 0 };
  for (let at = start; at < end;) {
    const length = bytes[at] | (bytes[at + 1] << 8);
    const last = at + length;
    const isIp = bytes[at + 2] === 1;
    for (let inner = at + 4; inner < last;) {
      const size = bytes[inner] | (bytes[inner + 1] << 8);
      const type = bytes[inner + 2];
      const value = inner + 4;
      if (isIp) {
        if (type === 1) result.src = ipv4(bytes, value);
        else if (type === 2) result.dst = ipv4(bytes, value);
      } else if (type === 1) result.protonum = bytes[value];
      else if (type === 2) result.sport = be16(bytes, value);
      else if (type === 3) result.dport = be16(bytes, value);
      inner += (size + 3) & ~3;
    }
    at += (length + 3) & ~3;
  }
  return result;
}

function counters(bytes, start, end) {
  const result = { packets: 0, bytes: 0 };
  for (let at = start; at < end;) {
    const length = bytes[at] | (bytes[at + 1] << 8);
    if (bytes[at + 2] === 1) result.packets = be64(bytes, at + 4);
    else if (bytes[at + 2] === 2) result.bytes = be64(bytes, at + 4);
    at += (length + 3) & ~3;
  }
  return result;
}

function tcpState(bytes, start, end) {
  // CTA_PROTOINFO_TCP, and in it CTA_PROTOINFO_TCP_STATE, which comes first.
  return end - start >= 9 && bytes[start + 2] === 1 ? bytes[start + 8] : 0;
}

function flow(bytes, start, end) {
  const result = {
    orig: undefined,
    reply: undefined,
    origCounters: undefined,
    replyCounters: undefined,
    status: 0,
    timeout: 0,
    mark: 0,
    zone: 0,
    id: 0,
    use: 0,
    state: 0,
  };
  for (let at = start; at < end;) {
    const length = bytes[at] | (bytes[at + 1] << 8);
    const value = at + 4;
    const last = at + length;
    switch (bytes[at + 2]) {
      case TUPLE_ORIG:
        result.orig = tuple(bytes, value, last);
        break;
      case TUPLE_REPLY:
        result.reply = tuple(bytes, value, last);
        break;
      case 3:
        result.status = be32(bytes, value);
        break;
      case 4:
        result.state = tcpState(bytes, value, last);
        break;
      case 7:
        result.timeout = be32(bytes, value);
        break;
      case 8:
        result.mark = be32(bytes, value);
        break;
      case 9:
        result.origCounters = counters(bytes, value, last);
        break;
      case 10:
        result.replyCounters = counters(bytes, value, last);
        break;
      case 11:
        result.use = be32(bytes, value);
        break;
      case 12:
        result.id = be32(bytes, value);
        break;
      case 18:
        result.zone = be16(bytes, value);
        break;
      default:
    }
    at += (length + 3) & ~3;
  }
  return result;
}

/** Calls `visit(type, bytes, start, end)` for the messages of a datagram. */
function eachMessage(bytes, visit) {
  for (let at = 0; at + 16 <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    visit(bytes.readUInt16LE(at + 4), bytes, at + HEADER, at + length);
    at += (length + 3) & ~3;
  }
}

/** A socket that hands over every message; resolves when the answer to a dump or a request is complete. */
function open(onMessage, options = {}) {
  const socket = new RawNetlinkSocket(NETLINK_NETFILTER, {
    messagePeeking: false,
    msgBufferSize: DATAGRAM,
    ...options,
  });
  let settle;
  socket.on('message', (bytes) => {
    let finished = false;
    eachMessage(bytes, (type, data, start, end) => {
      if (type === DONE || type === ERROR) finished = true;
      else onMessage(data, start, end);
    });
    if (finished) settle?.();
  });
  const ask = (message) =>
    new Promise((resolve) => {
      settle = resolve;
      socket.send(message);
    });
  return { socket, ask };
}

function request(command, flags, sequence, attributes) {
  const message = Buffer.alloc(HEADER + attributes.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(SUBSYSTEM | command, 4);
  message.writeUInt16LE(REQUEST | flags, 6);
  message.writeUInt32LE(sequence, 8);
  message[16] = 2;
  attributes.copy(message, HEADER);
  return message;
}

async function list(wanted) {
  let count = 0;
  let sum = 0;
  const { socket, ask } = open((bytes, start, end) => {
    const { orig, timeout, mark } = flow(bytes, start, end);
    if (wanted !== undefined && !wanted(orig)) return;
    sum += orig.protonum + orig.sport + orig.dport + timeout + mark;
    count += 1;
  });
  await ask(request(GET, DUMP, 1, Buffer.alloc(0)));
  socket.close();
  return { count, sum };
}

function attribute(type, value) {
  const length = 4 + value.length;
  const bytes = Buffer.alloc((length + 3) & ~3);
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, 4);
  return bytes;
}

const nest = (type, ...inner) => attribute(NESTED | type, Buffer.concat(inner));
const number = (size, value) => {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
};

function tupleAttribute(type, { src, dst, sport, dport, protonum }) {
  const ip = nest(1, attribute(1, number(4, src)), attribute(2, number(4, dst)));
  const ports = [attribute(2, number(2, sport)), attribute(3, number(2, dport))];
  return nest(type, ip, nest(2, attribute(1, number(1, protonum)), ...ports));
}

/** The generator's flow of this number. */
function keyOf(index) {
  const place = Math.floor(index / 4);
  return {
    src: 0x0a000001 + (index % 4),
    dst: 0xc0000201 + Math.floor(place / 50_000),
    sport: 1024 + (place % 50_000),
    dport: index % 100 === 0 ? 8080 : 443,
    protonum: Math.floor(index / 2) % 2 === 0 ? 6 : 17,
  };
}

function creation(index, flags) {
  const key = keyOf(index);
  const reply = { ...key, src: key.dst, dst: key.src, sport: key.dport, dport: key.sport };
  const parts = [
    tupleAttribute(TUPLE_ORIG, key),
    tupleAttribute(TUPLE_REPLY, reply),
    attribute(3, number(4, 0x0e)),
    attribute(7, number(4, 3600)),
  ];
  if (key.protonum === 6) parts.push(nest(4, nest(1, attribute(1, number(1, 3)))));
  return request(NEW, CREATE | EXCL | flags, index + 1, Buffer.concat(parts));
}

async function create(count) {
  const { socket, ask } = open(() => undefined);
  for (let first = 0; first < count; first += 64) {
    const size = Math.min(64, count - first);
    const parts = Array.from({ length: size }, (_, index) =>
      creation(first + index, index === size - 1 ? ACK : 0),
    );
    await ask(Buffer.concat(parts));
  }
  socket.close();
  return { count };
}

/** Counts events until it is told to stop. An overrun kills the package's socket, and the process with it. */
async function listen() {
  let count = 0;
  let sum = 0;
  const { socket } = open(
    (bytes, start, end) => {
      const { orig } = flow(bytes, start, end);
      sum += orig.protonum + orig.sport + orig.dport;
      count += 1;
    },
    { recvBufferSize: EVENT_BUFFER / 2, msgBufferSize: 8192, localGroups: 7 },
  );
  const cpu = process.cpuUsage();
  say({ ready: true });
  return async () => {
    for (let last = -1; last !== count;) {
      last = count;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const { user, system } = process.cpuUsage(cpu);
    socket.close();
    return { cpuMs: (user + system) / 1000, count, sum };
  };
}

await obey({
  list: () => measured(() => list()),
  filtered: () => measured(() => list(({ protonum, dport }) => protonum === 6 && dport === 8080)),
  create: (count) => measured(() => create(count)),
  listen,
});
