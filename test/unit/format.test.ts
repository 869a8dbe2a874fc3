/** Texts of items: what the oracle does not print, what is asked wrongly, and what differs on purpose. */
import { format, type FlowEvent, type FormatOptions, type LabelMap } from '../../lib';
import { FlowBatch } from '../../lib/batch';
import { expectationAt } from '../../lib/expectation';
import { formatBatch } from '../../lib/format';
import { Records } from '../../lib/records';
import {
  attribute,
  be32,
  Cta,
  Family,
  message,
  nest,
  payload,
  text,
  tuple,
  u8,
} from '../support/ctnetlink';
import { flowOf } from '../support/oracle';
import { LabelFile } from '../support/oracle-print';
import { testing } from '../support/testing';

const UDP = { src: '192.0.2.1', dst: '192.0.2.2', protonum: 17, sport: 1, dport: 2 };
const BACK = { src: '192.0.2.2', dst: '192.0.2.1', protonum: 17, sport: 2, dport: 1 };

function udpMessage(...attributes: Uint8Array[]): Buffer {
  const tuples = [tuple(Cta.tupleOrig, UDP), tuple(Cta.tupleReply, BACK)];
  return message(payload(Family.ipv4, ...tuples, ...attributes));
}

function event(given: Partial<FlowEvent> = {}): FlowEvent {
  return { type: 'new', flow: flowOf(udpMessage()), time: 0, ...given };
}

const LINE =
  'udp      17 src=192.0.2.1 dst=192.0.2.2 sport=1 dport=2 src=192.0.2.2 dst=192.0.2.1 sport=2 dport=1';
const SAVE =
  '-s 192.0.2.1 -d 192.0.2.2 -r 192.0.2.2 -q 192.0.2.1 -p udp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1';

describe('an event', () => {
  test('has its tag, and its flow alone has none', () => {
    expect(format.line(event())).toBe(`    [NEW] ${LINE}`);
    expect(format.line(event({ type: 'update' }))).toBe(` [UPDATE] ${LINE}`);
    expect(format.line(event({ type: 'destroy' }))).toBe(`[DESTROY] ${LINE}`);
    expect(format.line(event().flow)).toBe(LINE);
  });

  test('is saved by its verb', () => {
    expect(format.save(event())).toBe(`-A ${SAVE}`);
    expect(format.save(event({ type: 'update' }))).toBe(`-U ${SAVE}`);
    expect(format.save(event({ type: 'destroy' }))).toBe(`-D ${SAVE}`);
    expect(format.save(event().flow)).toBe(`-A ${SAVE}`);
  });

  test('of a program names its port, unsigned, and the program if it is known', () => {
    const portid = 4_294_967_295;
    const said = `    [NEW] ${LINE} [USERSPACE] portid=${portid}`;
    expect(format.line(event({ portid }))).toBe(said);
    expect(format.line(event({ portid }), { progname: () => 'node' })).toBe(
      `${said} progname=node`,
    );
    expect(format.line(event({ portid }), { progname: () => undefined })).toBe(said);
    expect(format.save(event({ portid }))).toBe(`-A ${SAVE} [USERSPACE] portid=${portid}`);
  });

  test('of no program asks for none', () => {
    const progname = jest.fn();
    format.line(event(), { progname });
    format.line(event({ portid: 0 }), { progname });
    expect(progname).not.toHaveBeenCalled();
  });

  test('has no program in XML: 1.4.7 puts one behind </flow>, 1.4.9 does not', () => {
    expect(format.xml(event({ portid: 7 }))).toMatch(/^<flow type="new">.*<\/flow>$/);
  });

  test.each([
    [0, '[0.000000]'],
    [1.5, '[0.001500]'],
    [1_700_000_000_000, '[1700000000.000000]'],
    [1_700_000_000_123.456, '[1700000000.123456]'],
    [999.9999, '[1.000000]'],
  ])('at %d ms', (time, shown) => {
    expect(format.line(event({ time }), { timestamp: true })).toBe(`${shown}\t    [NEW] ${LINE}`);
  });

  test('a flow that was listed has no time of its own', () => {
    expect(format.line(event().flow, { timestamp: true })).toBe(LINE);
    expect(format.xml(event().flow, { timestamp: true })).not.toContain('<when>');
  });
});

describe('an expectation', () => {
  const octets = message(
    payload(
      Family.ipv4,
      ...[1, 2, 3].map((type) => tuple(type, { ...UDP, protonum: 6 })),
      be32(4, 300),
    ),
  );
  const { batch } = testing.decodeExpectation(octets);
  const expectation = expectationAt(new Records(batch), 0);
  const line = format.line(expectation);

  test('pads its microseconds by blanks on the right, where a flow has zeros on the left', () => {
    const options = { timestamp: true, now: 1_700_000_000_000.5 };
    expect(format.line(expectation, options)).toBe(`[1700000000.500   ]\t${line}`);
    const change = { type: 'new', expectation, time: 2000.012 } as const;
    expect(format.line(change, options)).toBe(`[2.12    ]\t    [NEW] ${line}`);
  });

  test('has a line where it is to be saved, and no program', () => {
    expect(format.save(expectation)).toBe(line);
    const change = { type: 'destroy', expectation, time: 0, portid: 7 } as const;
    expect(format.save(change, { progname: () => 'node' })).toBe(`[DESTROY] ${line}`);
  });
});

describe('a long text', () => {
  test('is printed as a whole, where the original ends it at 4096 bytes and at 1024', () => {
    const secctx = 'x'.repeat(20_000);
    const flow = flowOf(udpMessage(nest(Cta.secctx, text(1, secctx))));
    expect(format.line(flow)).toBe(`${LINE} secctx=${secctx}`);
    expect(format.line(event({ flow }))).toBe(`    [NEW] ${LINE} secctx=${secctx}`);
  });

  test('that is no UTF-8 keeps its bytes in a batch', () => {
    const bytes = Buffer.of(0x61, 0xff, 0xc3, 0x28);
    const { batch } = testing.decode(udpMessage(nest(Cta.help, attribute(1, bytes))));
    const line = formatBatch(new FlowBatch(new Records(batch)), 'line');
    expect(Buffer.from(line).subarray(-bytes.length - 1)).toEqual(
      Buffer.concat([bytes, Buffer.from('\n')]),
    );
  });
});

describe('a save', () => {
  const saved = (...attributes: Uint8Array[]): string =>
    format.save(flowOf(udpMessage(...attributes)));

  test.each([
    [0, 'UNSET'],
    [1 | 2 | 4 | 8 | 0x400, 'EXPECTED,SEEN_REPLY,ASSURED,FIXED_TIMEOUT'],
    [8 | 0x4000 | 0x8000, 'UNSET'],
  ])('of status %d', (status, shown) => {
    expect(saved(be32(Cta.status, status))).toBe(`-A -u ${shown} ${SAVE}`);
  });

  test('tells NAT by what the kernel says and by the addresses', () => {
    const translated = { ...BACK, src: '198.51.100.1', dst: '198.51.100.2' };
    const withStatus = (reply: typeof BACK, status: number): string =>
      format.save(
        flowOf(
          message(
            payload(
              Family.ipv4,
              tuple(Cta.tupleOrig, UDP),
              tuple(Cta.tupleReply, reply),
              be32(Cta.status, status),
            ),
          ),
        ),
      );
    const [SRC_DONE, DST_DONE] = [0x80, 0x100];
    expect(withStatus(translated, SRC_DONE | DST_DONE)).toContain(
      ' -g 198.51.100.1 -n 198.51.100.2 ',
    );
    expect(withStatus(translated, DST_DONE)).toContain(' -g 198.51.100.1 -q 198.51.100.2 ');
    expect(withStatus(translated, SRC_DONE)).toContain(' -r 198.51.100.1 -n 198.51.100.2 ');
    expect(withStatus(BACK, SRC_DONE | DST_DONE)).toContain(' -r 192.0.2.2 -q 192.0.2.1 ');
  });

  test.each([
    ['a state that has no name', nest(Cta.protoinfo, nest(1, u8(1, 99))), '--state NONE'],
    [
      'a state of DCCP',
      nest(Cta.protoinfo, nest(2, u8(1, 4), u8(2, 1))),
      '--state OPEN --role server',
    ],
    [
      'a heartbeat of SCTP, where the original has (null)',
      nest(Cta.protoinfo, nest(3, u8(1, 8))),
      '--state HEARTBEAT_SENT',
    ],
  ])('of %s', (_, protoinfo, shown) => {
    const protonum = { NONE: 6, OPEN: 33, HEARTBEAT_SENT: 132 }[shown.split(' ')[1]!]!;
    const orig = tuple(Cta.tupleOrig, { ...UDP, protonum });
    const reply = tuple(Cta.tupleReply, { ...BACK, protonum });
    const flow = flowOf(message(payload(Family.ipv4, orig, reply, protoinfo)));
    expect(format.save(flow)).toMatch(new RegExp(`${shown}$`));
  });
});

describe('labels', () => {
  let file: LabelFile;
  let labels: LabelMap;

  beforeAll(async () => {
    file = new LabelFile(
      new Map([
        [0, 'first'],
        [127, 'last'],
      ]),
    );
    labels = await file.load();
  });

  afterAll(() => {
    file.remove();
  });

  test('are printed by their names only', () => {
    const bits = Buffer.alloc(16, 0xff);
    const flow = flowOf(udpMessage(attribute(Cta.labels, bits)));
    expect(format.line(flow, { labels })).toBe(`${LINE} labels=first,last`);
    expect(format.line(flow)).toBe(LINE);
  });

  test('of which none has a name are a word, as in the original', () => {
    const flow = flowOf(udpMessage(attribute(Cta.labels, Buffer.of(2, 0, 0, 0))));
    expect(format.line(flow, { labels })).toBe(`${LINE} labels`);
  });
});

describe('asked wrongly', () => {
  const { flow } = event();

  test.each<[unknown, RegExp]>([
    [{ extended: 1 }, /options\.extended must be a boolean/],
    [{ id: 'yes' }, /options\.id must be a boolean/],
    [{ timestamp: null }, /options\.timestamp must be a boolean/],
    [{ ktimestamp: 0 }, /options\.ktimestamp must be a boolean/],
    [{ labels: {} }, /options\.labels must be a LabelMap/],
    [{ now: '0' }, /options\.now must be a number/],
    [{ now: -1 }, /options\.now must be ms/],
    [{ now: NaN }, /options\.now must be ms/],
    [{ now: 2 ** 64 }, /options\.now must be ms/],
    [{ progname: 'node' }, /options\.progname must be a function/],
    [{ ids: true }, /options\.ids is not known/],
    [7, /options must be an object/],
    [[], /options must be an object/],
  ])('by options %p', (options, said) => {
    for (const kind of ['line', 'xml', 'save', 'json'] as const) {
      expect(() => format[kind](flow, options as FormatOptions)).toThrow(said);
    }
  });

  test.each<[unknown, RegExp]>([
    [undefined, /item must be a Flow/],
    [null, /item must be a Flow/],
    ['udp', /item must be a Flow/],
    [{}, /item must be a Flow/],
    [{ type: 'new', flow: {}, time: 0 }, /item must be a Flow/],
    [{ type: 'made', flow, time: 0 }, /item\.type must be one of 'new', 'update', 'destroy'/],
    [{ type: 'new', flow }, /item\.time must be a number/],
    [{ type: 'new', flow, time: -1 }, /item\.time must be ms/],
    [{ type: 'new', flow, time: 0, portid: 2 ** 32 }, /item\.portid must be an integer/],
    [{ type: 'new', flow, time: 0, portid: '7' }, /item\.portid must be a number/],
  ])('of %p', (item, said) => {
    for (const kind of ['line', 'xml', 'save'] as const) {
      expect(() => format[kind](item as FlowEvent)).toThrow(said);
    }
  });
});
