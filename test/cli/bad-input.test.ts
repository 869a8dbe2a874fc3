/** What both command lines say to wrong input: the same, but for what is named here and in the deviations. */
import { DEVIATIONS } from '../../lib/cli/deviations';
import { runOriginal, runOurs, withoutName } from '../support/cli-run';
import { TestNamespace } from '../support/netns';

type Words = readonly string[];

let namespace: TestNamespace;

beforeAll(() => {
  namespace = TestNamespace.create();
});

afterAll(() => {
  TestNamespace.closeAll();
});

/** Split at blanks; '' is an empty word. */
function words(line: string): Words {
  return line.split(' ').map((word) => (word === "''" ? '' : word));
}

/** Command lines to which both say the same. */
const SAME = `
-Z
--bogus
-L -I
-L -L
-C -V
-L -h
-L foo
-C foo
-V foo
-h foo
-S foo
-D dying
-E dying
-I unconfirmed
-U expect
-A expect
-R
--load-file
-L -R x
-R /nonexistent
-z
-z -m 5
-m 5 -z
-p udp
-o xml
-n -j
-L -s
-L --src
-E -e
-L -w
-I -t
-p
-L -s foo
-L -s 1.2.3.4.5
-L -s 256.1.1.1
-L -s localhost
-L -s ''
-L -s /8
-L -s ::1%lo
-L -d 1.2.3.
-L -s 08.1.1.1
-L -s 1.2.3.4/33
-L -s 1.2.3.4/-1
-L -s 1.2.3.4/abc
-L -s 1.2.3.4/24x
-L -s 1.2.3.4/8/8
-L -s ::1/129
-L -r 1.2.3.4/24
-L -q ::/0
-L -n 1.2.3.0/24
-L -j 1.2.3.0/24
-L -n 1.2.3.4/8:80
-L -s 1.2.3.4 -d ::1
-L -f ipv4 -s ::1
-L -f ipv4 -f ipv6
-L -s 1.2.3.4 --mask-src ::1
-L -f inet
-L -f IPV4
-L -f 4
-L -f ''
-L -p foo
-L -p 256
-L -p -1
-L -p ''
-L -p 20foo
-L -p ESP
-L -p IPV6-ICMP
-L --sport 10
-L --sport 10 -p tcp
-L -p tcp --icmp-type 8
-L -p udp --state X
-L -p gre --sport 1
-L -p icmp --icmpv6-type 1
-L -p ipv6-icmp --icmpv6-type 1
-L -p 50 --sport 1
-L -p tcp --state FOO
-L -p tcp --state established
-L -p tcp --state ''
-L -p dccp --state FOO
-L -p dccp --role foo
-L -p dccp --role client
-L -p sctp --orig-vtag 5
-L -p tcp --mask-port-src 1
-L -p tcp --tuple-port-src 1
-G -p udp --mask-port-src 1 -s 1.1.1.1 -d 1.1.1.2
-L -u FOO
-L -u CONFIRMED
-L -u DYING
-L -u unreplied
-L -u ''
-L -u ASSURED,
-L -u ,ASSURED
-L -u FOO,ASSURED
-L -u !
-L -u ASSURED,!
-L -u !UNREPLIED
-L -u A,!!A
-L -u UNSET
-L -u SRC_NAT
-L -u S
-L -u D
-E -u ASSURED
-L -o foo
-L -o ,
-L -o ''
-L -o x,foo,id
-L -o save,xml
-L -o save -o id
-L -o id,xml,save -z -p tcp
-L -e NEW
-E -e FOO
-E -e D,foo
-L -t 10
-L -b 100
-L -i 1
-L -l foo
-L -l 0
-L -l ''
-L --label-add x
-L --label-del
-U -p udp --label-add a --label-del b
-C -o xml
-S -o xml
-F -s 1.1.1.1
-C -f ipv4
-L expect -s 1.1.1.1
-E expect -f ipv4
-F expect -f ipv4
-C expect -f ipv4
-L -z -p tcp
-L -z -s 1.1.1.0/24
-L -z -m 1
-L -z -w 1
-L --mask-src 255.255.255.0
-L --mask-dst 255.0.0.0 -z
-L -n -j
-L -g -j
-L -n 1.2.3.4:
-L -n 1.2.3.4:65536
-L -n 1.2.3.4:+80
-L -n 1.2.3.4:0x50
-L -n 1.2.3.4:80-90
-L -n 1.2.3.4:80:90
-L -n :80
-L -n :
-L -n ''
-L -n [::1]
-L -n []:80
-L -n [::1:80
-L -n [::1]80
-L -n [::1]:
-I
-I -s 1.1.1.1 -d 2.2.2.2
-I -s 1.1.1.1 -d 2.2.2.2 -p tcp
-I -s 1.1.1.1 -d 2.2.2.2 -p tcp -t 10
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 --sport 5
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 --reply-port-src 1
-I -s 1.1.1.1 -d 2.2.2.2 -p dccp -t 10 --state OPEN --role client --reply-port-src 1
-I -s 1.1.1.1 -d 2.2.2.2 -p gre -t 10
-I -s 1.1.1.1 -d 2.2.2.2 -p gre -t 10 --reply-key-src 1
-I -r 1.1.1.1 -p udp -t 10
-I -s 1.1.1.1 -q 2.2.2.2 -p udp -t 4 --sport 4 --dport 5
-I -s 1.1.1.1 -d 2.2.2.2 -p icmp -t 10
-I -s 1.1.1.1 -d 2.2.2.2 -p icmp -t 10 --icmp-type 8
-I -s 1.1.1.1 -d 2.2.2.2 -p icmp -t 10 --icmp-type 3 --icmp-code 0
-I -s 1.1.1.1 -d 2.2.2.2 -p sctp -t 10 --sport 1 --dport 2
-I -s 1.1.1.1/24 -d 2.2.2.2 -p udp -t 10
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 -o xml
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 -f ipv4
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 -c 5
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 -i 5
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 -j 1.1.1.1
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 --sport 1 --dport 2 -u EXPECTED
-I -s 1.1.1.1 -d 2.2.2.2 -p udp -t 10 --sport 1 --dport 2 --orig-zone 1 --reply-zone 2
-I expect
-I expect -s 1.1.1.1 -d 2.2.2.2
-I expect -p tcp -s 1.1.1.1 -d 2.2.2.2 --tuple-src 1.1.1.1 --tuple-dst 2.2.2.2
-D expect
-G expect
-G expect -s 1.1.1.1 -d 2.2.2.2 -p tcp
-G expect -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 2
-D expect -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1
-G expect -s 1.1.1.1 -d 2.2.2.2 -p udp --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1
-G
-G -p tcp
-G -p udp -s 1.1.1.1 -d 2.2.2.2
-G -p udp -s 1.1.1.1 -d 2.2.2.2 --sport 1 --dport 2
-G -p udp -r 1.1.1.1 -q 2.2.2.2 --reply-port-src 1 --reply-port-dst 2
-G -p tcp -s 1.1.1.1 -d 2.2.2.2 --sport 1 --dport 2 -w 1
-U -w 1 -m 1
-D -c 5
-D -z
-D
-D -p udp
-U -p tcp -m 1
-a
-a foo -L
-L -a foo
--orig
--s
--sr
--d
--lab
--label-
--reply
--mask
--stat
-L --zero=1
-F -p tcp
-S -z
-V -z
-h -z
`;

/** What conntrack 1.4.9 says where the installed 1.4.7 says something else, by the reference. */
const NEWER: readonly (readonly [line: string, why: string, status: number, stderr: string])[] = [
  ['-LX', 'commands take no glued word', 2, "unknown option `-LX'"],
  ['-Lexpect', 'it is the bundle -L -e xpect', 2, "Bad parameter `xpect'"],
  ['-L --id', 'no crash', 2, "option `--id' requires an argument"],
  ['-L -m foo', 'strict numbers', 1, "unexpected value 'foo' with -m option"],
  ["-L -m ''", 'strict numbers', 1, "unexpected value '' with -m option"],
  ['-L -m 1,2', 'strict numbers', 1, "unexpected value '1,2' with -m option"],
  ['-L -m -1', 'strict numbers', 1, "unexpected value '-1' with -m option"],
  ['-L -m 4294967296', 'strict numbers', 1, "unexpected value '4294967296' with -m option"],
  ['-L -m 1/foo', 'strict numbers', 1, "unexpected value '1/foo' with -m option"],
  ['-L -w foo', 'strict numbers', 1, "unexpected value 'foo' with -w option"],
  ['-L -w 65536', 'strict numbers', 1, "unexpected value '65536' with -w option"],
  ['-L -w -1', 'strict numbers', 1, "unexpected value '-1' with -w option"],
  ['-L --orig-zone foo', 'strict numbers', 1, "unexpected value 'foo' with -( option"],
  ['-L --reply-zone x', 'strict numbers', 1, "unexpected value 'x' with -) option"],
  ['-L -c foo', 'strict numbers', 1, "unexpected value 'foo' with -c option"],
  ['-D -i foo', 'strict numbers', 1, "unexpected value 'foo' with -i option"],
  [
    '-L --labelmap /dev/null --labelmap /dev/null',
    'it is new',
    2,
    "option `--labelmap' can only be specified once",
  ],
];

const HELP = 'Try for more information.\n';

/** Where ours is another answer on purpose, by the deviation. */
const DEVIATING: readonly (readonly [id: string, line: string, status: number, stderr: string])[] =
  [
    ['sctp-state', '-L -p sctp --state FOO', 2, "unknown SCTP state `FOO'"],
    ['sctp-state', '-L -p sctp --state HEARTBEAT_SENT', 2, "unknown SCTP state `HEARTBEAT_SENT'"],
    ['no-status', '-D -u UNSET', 1, 'Operation failed: invalid parameters'],
    ['sloppy-number', '-D -p tcp --dport http', 2, "Invalid value `http' of `--dport'"],
    ['sloppy-number', '-D -p tcp --sport 65546', 2, "Invalid value `65546' of `--sport'"],
    ['sloppy-number', '-D -p gre --srckey zz', 2, "Invalid value `zz' of `--srckey'"],
    ['sloppy-number', '-D -p icmp --icmp-type 256', 2, "Invalid value `256' of `--icmp-type'"],
    ['sloppy-number', '-D -t foo', 2, "Invalid value `foo' of `--timeout'"],
    ['empty-prefix', '-D -s 10.0.0.1/', 2, "Invalid value `10.0.0.1/' of `--src'"],
    ['mark-mask', '-D -m 1/4294967296', 1, "unexpected value '1/4294967296' with -m option"],
    ['zero-nat', '-L -z -n', 2, "Can't use -z with filtering parameters"],
    ['glued-word', '--delete=foo', 2, "unknown type `foo'"],
    ['glued-word', '-L -gfoo', 2, "Invalid IP address `foo'"],
    [
      'odd-mask',
      '-L -s 1.1.1.1 --mask-src 0.0.0.255',
      1,
      'the mask of --mask-src has too many gaps to filter by it',
    ],
  ];

const lines = SAME.trim().split('\n');

describe('input that is wrong', () => {
  test.each(lines)('conntrack %s', async (line) => {
    const args = words(line);
    const original = runOriginal(namespace, args);
    const ours = await runOurs(namespace, args);
    expect({ ...ours, stderr: withoutName(ours.stderr) }).toEqual({
      ...original,
      stderr: withoutName(original.stderr),
    });
  });

  /** That ours says just this, and the installed program something else. */
  async function expectOurs(line: string, status: number, message: string): Promise<void> {
    const original = runOriginal(namespace, words(line));
    const ours = await runOurs(namespace, words(line));
    const said = { ...ours, stderr: withoutName(ours.stderr) };
    const help = status === 2 ? HELP : '';
    expect(said).toEqual({ status, stdout: '', stderr: `: ${message}\n${help}` });
    expect({ ...original, stderr: withoutName(original.stderr) }).not.toEqual(said);
  }

  test.each(NEWER)('conntrack %s: since 1.4.9, %s', async (line, _why, status, message) => {
    await expectOurs(line, status, message);
  });

  test.each(DEVIATING)('%s: conntrack %s', async (id, line, status, message) => {
    expect(DEVIATIONS.map((deviation) => deviation.id)).toContain(id);
    await expectOurs(line, status, message);
  });
});
