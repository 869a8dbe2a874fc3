/** Listings, look-ups and counts: both command lines on the same table at the same moment. */
import { runOriginal, runOurs, withoutName } from '../support/cli-run';
import { fillTable, withoutTimes } from '../support/cli-table';
import { type ExecResult, TestNamespace } from '../support/netns';

let plain: TestNamespace;
let counted: TestNamespace;

beforeAll(() => {
  plain = TestNamespace.create();
  fillTable(plain);
  counted = TestNamespace.create();
  fillTable(counted, { counted: true });
});

afterAll(() => {
  TestNamespace.closeAll();
});

/** The clock may strike between the two; then the seconds may differ a little, and nothing else. */
const ATTEMPTS = 3;
const MOST_SECONDS = 10;

const SECONDS = /^(?:ipv\d +\d+ )?\w+ +\d+ (\d+) |-t (\d+) |<timeout>(\d+)</;

interface Shown {
  readonly result: ExecResult;
  /** What withoutTimes() leaves out of each line. */
  readonly seconds: readonly number[];
}

/** Lines in the order of the output, or sorted, without their times. */
function shown({ status, stdout, stderr }: ExecResult, inOrder: boolean): Shown {
  const lines = stdout.split('\n').map((line) => ({ line, still: withoutTimes(line) }));
  if (!inOrder) lines.sort((x, y) => (x.still < y.still ? -1 : 1));
  const seconds = lines.map(({ line }) => {
    const [, plain, saved, xml] = SECONDS.exec(line) ?? [];
    return Number(plain ?? saved ?? xml);
  });
  const text = lines.map(({ still }) => still).join('\n');
  return { result: { status, stdout: text, stderr: withoutName(stderr) }, seconds };
}

/** Runs both; they must give the same lines, in the same order but where the kernel filters for us. */
async function same(
  namespace: TestNamespace,
  args: readonly string[],
  inOrder = true,
): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const theirs = runOriginal(namespace, args);
    const own = await runOurs(namespace, args);
    if (attempt < ATTEMPTS && theirs.stdout !== own.stdout) continue;
    const [original, ours] = [shown(theirs, inOrder), shown(own, inOrder)];
    expect(ours.result).toEqual(original.result);
    ours.seconds.forEach((seconds, index) => {
      const far = Math.abs(seconds - (original.seconds[index] ?? NaN));
      if (!Number.isNaN(far)) expect(far).toBeLessThanOrEqual(MOST_SECONDS);
    });
    return theirs.stdout.split('\n').length - 1;
  }
}

const OUTPUTS = `
-L
-L -o extended
-L -o id
-L -o extended,id,ktimestamp
-L -o x
-L -o xml,id
-L -o xml -o ktimestamp
-L -o save
-L -o userspace
-L -o timestamp
-L -oext,k
-L -o s
-L conntrack -o labels
`;

/** Arguments, and how many lines they give at least. */
const FILTERS = `
-L conntrack
-L dying
-L unconfirmed
-L expect
-L e
-L -f ipv4
-L -f ipv6
-L -f ipv4xyz
-L -p tcp
-L -p TCP
-L -p 6
-L -p 0x6
-L -p 06
-L -p udp
-L -p udplite
-L -p icmp
-L -p icmpv6
-L -p ipv6-icmp
-L -p sctp
-L -p gre
-L -p esp
-L -p 50
-L -p 200
-L -p 201
-L -s 10.0.0.1
-L --src 10.0.0.1
-L --orig-src=10.0.0.1
-L -s 10.1
-L -s 0x0a000001
-L -s 167772161
-L -s 10.0.0.0/24
-L -s 10.0.0.9/24
-L -s 10.0.0.1/32
-L -s 10.0.0.1/
-L -s 10.0.0.1/0
-L -s 10.0.0.1/+8
-L -s ::/0
-L -s 2001:db8::/32
-L -s 2001:db8::1
-L -d 2001:db8:1::2/128
-L -d ::ffff:10.0.0.1
-L -s 10.0.0.1 --mask-src 255.255.255.0
-L -s 10.0.0.1 --mask-src 255.0.255.255
-L -d 10.1.0.1 --mask-dst 255.255.0.0
-L -s 10.0.0.0/8 -d 10.1.0.2
-L -r 10.1.0.1
-L -q 192.0.2.1
-L -r 10.1.0.1 -q 10.0.0.1
-L -p tcp --sport 1001
-L -p tcp --dport 443
-L -p tcp --orig-port-dst 443
-L -p tcp --sp 1001
-L -p tcp --dport 443 --sport 1002
-L -p tcp --reply-port-src 443
-L -p tcp --reply-port-dst 1001
-L -p tcp --dport 65616
-L -p tcp --dport 80abc
-L -p tcp --dport http
-L -p tcp --dport 80:443
-L -p tcp --state ESTABLISHED
-L -p tcp --state LISTEN
-L -p tcp --state SYN_SENT2
-L -p tcp --state NONE
-L -p sctp --state ESTABLISHED
-L -p udp --dport 53 -p tcp --dport 443
-L -p tcp --dport 20 -p udp --dport 53
-L -p icmp --icmp-type 8
-L -p icmp --icmp-type 264
-L -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77
-L -p icmp --icmp-id 78
-L -p icmpv6 --icmpv6-type 128
-L -p icmpv6 --icmpv6-id 9
-L -m 5
-L -m 0x5
-L -m 05
-L -m 5/0xf
-L -m 0x15/0xf
-L -m 0/0
-L -m 1/
-L -m 0
-L -m 4294967295
-L -u ASSURED
-L -u A
-L -u assured
-L -u SEEN_REPLY
-L -u ASSURED,SEEN_REPLY
-L -u FIXED_TIMEOUT
-L -u ASSURED -u FIXED
-L -u UNREPLIED
-L -u UNREPLIEDX
-L -u !ASSURED
-L -u !SEEN_REPLY,!ASSURED
-L -u OFFLOAD
-L -u UNSET,A
-L -u S,A
-L -w 5
-L -w 0
-L -w 0x5
-L --orig-zone 6
-L --orig-zone 0
-L --reply-zone 7
-L --reply-zone 0
-L -( 6
-L -) 7
-L -g
-L -g 10.3.0.1
-L -g 10.3.0.1:8080
-L -g 10.3.0.1:8081
-L --dst-nat 10.3.0.2 -p udp
-L -p tcp -n
-L -p udp -n
-L -p udp -j
-L -p tcp -j
-L -n 192.0.2.1
-L -n 192.0.2.2
-L -n 192.0.2.2:4444
-L -n 10.0.0.1
-L -n 192.0.2.2 -g 10.3.0.2
-L -j 192.0.2.2
-L -j 10.3.0.1
-L -c 5
-L -p tcp -s 10.0.0.1 -m 5 --dport 80
foo -L
foo -L bar -p udp
conntrack -L -p udp
-L -p udp -- -s
-p tcp -L
-L -n !
--dump -p udp
--dum -p udp
-L --proto udp
-L --protonum=udp
-pudp -L
-C
--count
-C conntrack
-C expect
--counter
-S
--stats
-S expect
-L expect -o xml
-L expect -f ipv6
-L expect -o save
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 --state ESTABLISHED
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 --state CLOSE
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 -i 1
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 -o id,extended
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 -o xml
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 -o save
-G -s 10.0.0.6 -d 10.1.0.5 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77
-G -s 10.0.0.6 -d 10.1.0.5 -p icmp --icmp-type 8 --icmp-code 0
-G -s 10.0.0.6 -d 10.1.0.5 -p gre --srckey 0 --dstkey 77
-G -s 10.0.0.7 -d 10.1.0.5 -p sctp --sport 3868 --dport 3869
-G -s 10.0.0.7 -d 10.1.0.5 -p 50
-G -s 2001:db8::1 -d 2001:db8:1::2 -p udp --sport 1014 --dport 53
-G -s 2001:db8::1 -d ::ffff:10.0.0.1 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 9
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 -r 10.1.0.1 -q 10.0.0.1
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 -r 10.1.0.9 -q 10.0.0.1
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 -r 10.1.0.1 --reply-port-src 80 --reply-port-dst 1001
-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 -r 10.1.0.1 --reply-port-src 81
`;

const linesOf = (text: string): string[] => text.trim().split('\n');

test.each(linesOf(OUTPUTS))('conntrack %s, plain and counted', async (line) => {
  expect(await same(plain, line.split(' '))).toBeGreaterThan(20);
  expect(await same(counted, line.split(' '))).toBeGreaterThan(20);
});

test.each(linesOf(FILTERS))('conntrack %s', async (line) => {
  // Deviation 'order'.
  await same(plain, line.split(' '), false);
});

test('most filters match some flows and leave out others', async () => {
  const counts = await Promise.all(
    linesOf(FILTERS)
      .filter((line) => line.startsWith('-L -'))
      .map(async (line) => {
        const { stdout } = await runOurs(plain, line.split(' '));
        return stdout.split('\n').length - 1;
      }),
  );
  const telling = counts.filter((count) => count > 0 && count < 24);
  expect(telling.length).toBeGreaterThan(counts.length / 2);
});

test('deviations: what the original compares wrongly', async () => {
  const shown = async (line: string): Promise<number> => {
    const { stdout } = await runOurs(plain, line.split(' '));
    return stdout.split('\n').length - 1;
  };
  const original = (line: string): number =>
    runOriginal(plain, line.split(' ')).stdout.split('\n').length - 1;
  // gre-keys
  expect([original('-L -p gre --srckey 0x99'), await shown('-L -p gre --srckey 0x99')]).toEqual([
    2, 1,
  ]);
  // negated-status
  expect([original('-L -u SEEN_REPLY,!ASSURED'), await shown('-L -u SEEN_REPLY,!ASSURED')]).toEqual(
    [0, 3],
  );
  // nat-address
  expect([original('-L -n 2001:db8:9::2'), await shown('-L -n 2001:db8:9::2')]).toEqual([1, 0]);
  expect(await shown('-L -n 2001:db8:9::1')).toBe(1);
  // glued-word
  expect(await shown('-L --dst-nat=10.3.0.2')).toBe(1);
  expect(await shown('-L -g10.3.0.2')).toBe(1);
  expect(original('-L --dst-nat=10.3.0.2')).toBe(2);
  // reply-ports
  const key = '-G -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80';
  expect(await shown(`${key} --reply-port-src 80 --reply-port-dst 1001`)).toBe(1);
  expect(original(`${key} --reply-port-src 80 --reply-port-dst 1001`)).toBe(0);
});

test('bundles, since 1.4.9', async () => {
  const still = async (...args: string[]): Promise<ExecResult> =>
    shown(await runOurs(plain, args), true).result;
  expect(await still('-Lo', 'xml')).toEqual(await still('-L', '-o', 'xml'));
  expect(await still('-Lp', 'udp')).toEqual(await still('-L', '-p', 'udp'));
});

test('-m beside -u, since 1.4.8', async () => {
  const args = ['-L', '-m', '5', '-u', 'ASSURED'];
  expect(runOriginal(plain, args).stdout).toBe('');
  expect((await runOurs(plain, args)).stderr).toContain(': 1 flow entries');
});

test('-z zeroes', async () => {
  using namespace = TestNamespace.create();
  fillTable(namespace, { counted: true });
  await same(namespace, ['-L', '-z', '-f', 'ipv4']);
  await same(namespace, ['-zL']);
});
