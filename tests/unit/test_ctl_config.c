/* SPDX-License-Identifier: MIT */
/* pvkernel/control/config.c: what xl.cfg(5) says a file means, and the line that says why one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PVK_LIB_H			/* the host has these functions already */
#include "types.h"

static bool parse_u64(const char *s, u64 *val)
{
	char *end;

	*val = strtoull(s, &end, *s == '0' && (s[1] | 0x20) == 'x' ? 16 : 10);
	return *s && !*end;
}

#define string config_string		/* a type of cmocka's has the name */
#include "../../pvkernel/control/config_devices.c"
#include "../../pvkernel/control/config.c"

static struct domain_config c;
static char said[512];

#define BASE "name='a'\nkernel='k'\n"

static void good(const char *text)
{
	bool ok = config_parse("f", text, strlen(text), &c, said, sizeof(said));

	if (!ok)
		fail_msg("refused: %s", said);
}

static void bad(const char *text, const char *message)
{
	assert_false(config_parse("f", text, strlen(text), &c, said, sizeof(said)));
	if (!strstr(said, message))
		fail_msg("\"%s\" is not in \"%s\"", message, said);
	assert_null(strchr(said, '\n'));
}

static void test_defaults(void **state)
{
	good(BASE);
	assert_string_equal(c.name, "a");
	assert_string_equal(c.kernel, "k");
	assert_string_equal(c.ramdisk, "");
	assert_string_equal(c.extra, "");
	assert_int_equal(c.memory, 32 * 1024);
	assert_int_equal(c.maxmem, c.memory);
	assert_int_equal(c.vcpus, 1);
	assert_int_equal(c.maxvcpus, 1);
	assert_true(c.cpus[0] == ~0ul && c.cpus[31] == ~0ul);
	assert_int_equal(c.cpu_weight, 0);
	assert_int_equal(c.cap, 0);
	assert_int_equal(c.on_poweroff, ACTION_DESTROY);
	assert_int_equal(c.on_reboot, ACTION_RESTART);
	assert_int_equal(c.on_crash, ACTION_DESTROY);
	assert_int_equal(c.on_watchdog, ACTION_DESTROY);
	assert_false(c.has_uuid);
	assert_string_equal(said, "");
}

static void test_syntax(void **state)
{
	good("# a comment\n\n  name = \"b\" ; kernel='/boot/k' # more\n; ;memory=64;\r\nvcpus=\"2\"");
	assert_string_equal(c.name, "b");
	assert_string_equal(c.kernel, "/boot/k");
	assert_int_equal(c.memory, 64 * 1024);
	assert_int_equal(c.vcpus, 2);
	good(BASE "extra=\"it's #1; \\\"q\\\" \\x41\\t\\\\\"");
	assert_string_equal(c.extra, "it's #1; \"q\" A\t\\");
	good(BASE "extra='a'\nextra += ' b'\nextra+=\" c\"");
	assert_string_equal(c.extra, "a b c");
	good(BASE "extra='a'\nextra='b'\nmemory=0x40\nmemory=0x80");
	assert_string_equal(c.extra, "b");
	assert_int_equal(c.memory, 128 * 1024);
	good(BASE "root='/dev/xvda ro'\nextra='x'");
	assert_string_equal(c.extra, "root=/dev/xvda ro x");
	good(BASE "root='r'\nextra='x'\ncmdline='only'");
	assert_string_equal(c.extra, "only");
	good(BASE "vif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0', # first\n\n '' ,\n]");
	assert_int_equal(c.vifs, 2);
	assert_memory_equal(c.vif[0].mac, "\0\x16\x3e\0\0\1", 6);
	assert_string_equal(c.vif[0].bridge, "xenbr0");
	assert_int_equal(c.vif[1].devid, 1);
	good(BASE "disk=['phy:/dev/vg/a,xvda,w']\ndisk+=['/img,raw,xvdb,rw']");
	assert_int_equal(c.disks, 2);
	good(BASE "disk=['phy:/dev/vg/a,xvda,w']\ndisk=[]");
	assert_int_equal(c.disks, 0);
}

static void test_unknown(void **state)
{
	good(BASE "on_tuesday='x'\nmemory=8\nvfb=['a','b']");
	assert_string_equal(said, "f:3: on_tuesday: a key that nobody here knows, ignored\n"
				  "f:5: vfb: a key that nobody here knows, ignored\n");
	assert_int_equal(c.memory, 8 * 1024);
}

static void test_values(void **state)
{
	good(BASE "type='pv'\nbuilder='generic'\nmaxmem=64\nmemory=16\nvcpus=2\nmaxvcpus=4\ncpu_weight=512\ncap=50");
	assert_int_equal(c.maxmem, 64 * 1024);
	assert_int_equal(c.maxvcpus, 4);
	assert_int_equal(c.cpu_weight, 512);
	assert_int_equal(c.cap, 50);
	good(BASE "on_poweroff='preserve'\non_reboot='destroy'\non_crash='rename-restart'\non_watchdog='restart'");
	assert_int_equal(c.on_poweroff, ACTION_PRESERVE);
	assert_int_equal(c.on_reboot, ACTION_DESTROY);
	assert_int_equal(c.on_crash, ACTION_RENAME_RESTART);
	assert_int_equal(c.on_watchdog, ACTION_RESTART);
	good(BASE "uuid='01234567-89ab-cdef-0123-456789ABCDEF'");
	assert_true(c.has_uuid && c.uuid[0] == 0x01 && c.uuid[7] == 0xef && c.uuid[15] == 0xef);
}

static void test_cpus(void **state)
{
	u64 cpus;

	assert_true(config_cpu_list("all", &cpus) && cpus == ~0ul);
	assert_true(config_cpu_list("0-3", &cpus) && cpus == 0xf);
	assert_true(config_cpu_list("0-3,5,^1", &cpus) && cpus == 0x2d);
	assert_true(config_cpu_list("2,^1", &cpus) && cpus == 4);
	assert_true(config_cpu_list("all,^7", &cpus) && cpus == ~0x80ul);
	assert_true(config_cpu_list("63", &cpus) && cpus == 1ul << 63);
	assert_true(config_cpu_list("0-63", &cpus) && cpus == ~0ul);
	assert_false(config_cpu_list("", &cpus));
	assert_false(config_cpu_list("64", &cpus));
	assert_false(config_cpu_list("3-1", &cpus));
	assert_false(config_cpu_list("1,", &cpus));
	assert_false(config_cpu_list("1-", &cpus));
	assert_false(config_cpu_list("1-2-3", &cpus));
	assert_false(config_cpu_list("1,^1", &cpus));
	assert_false(config_cpu_list("one", &cpus));
	assert_false(config_cpu_list("99999999999999999999", &cpus));
	good(BASE "cpus='0-1'");
	assert_true(c.cpus[0] == 3 && c.cpus[31] == 3);
	good(BASE "cpus=['0', '1-2']");
	assert_true(c.cpus[0] == 1 && c.cpus[1] == 6 && c.cpus[2] == ~0ul);
	good(BASE "cpus=1");
	assert_true(c.cpus[0] == 2);
	bad(BASE "cpus='x'", "f:3: cpus: expected CPUs such as");
}

static void test_errors(void **state)
{
	bad("", "f: expected name");
	bad("name='a'", "f: expected kernel");
	bad(BASE "memory=64\nmemory = lots", "f:4: memory: expected a number or a string");
	bad(BASE "memory='lots'", "f:3: memory: expected a number from 1 to 16777216, not lots");
	bad(BASE "memory=0", "f:3: memory: expected a number from 1");
	bad(BASE "memory+=1", "f:3: memory: expected = and not +=");
	bad(BASE "memory 64", "f:3: memory: expected = after the key");
	bad(BASE "memory=64 vcpus=2", "f:3: memory: expected the end of the line or ;");
	bad(BASE "extra='open\nmemory=1", "f:3: extra: expected ' at the end of the string");
	bad(BASE "extra='\\q'", "f:3: extra: expected a known escape");
	bad(BASE "vif=['' ''", "f:3: vif: expected , or ]");
	bad(BASE "vif=['',\n\n", "f:5: vif: expected a number or a string");
	bad(BASE "vif=''", "f:3: vif: expected a list");
	bad(BASE "memory=[1]", "f:3: memory: expected no list");
	bad(BASE "=3", "f:3: expected a key");
	bad(BASE "9x=3", "f:3: expected a key");
	bad(BASE "type='hvm'", "f:3: type: expected \"pv\"");
	bad(BASE "builder='hvm'", "f:3: builder: expected \"generic\"");
	bad(BASE "on_crash='coredump-restart'", "f:3: on_crash: expected destroy, restart");
	bad("name='12'\n", "f:1: name: expected letters");
	bad("name='0x12'\n", "f:1: name: expected letters");
	bad("kernel='\\nexit status: 0\\n'\n", "f:1: kernel: expected a path");
	bad("on_crash='\\nexit status: 0\\n'\n", "not ?exit status: 0?");
	bad("name='a b'\n", "f:1: name: expected letters");
	bad("name='-a'\n", "f:1: name: expected letters");
	bad(BASE "vcpus=33", "f:3: vcpus: expected a number from 1 to 32");
	bad(BASE "vcpus=2;maxvcpus=1", "f: expected maxvcpus to be at least vcpus");
	bad(BASE "memory=64;maxmem=32", "f: expected maxmem to be at least memory");
	bad(BASE "uuid='12'", "f:3: uuid: expected 32 hexadecimal");
	bad(BASE "cpu_weight=0", "f:3: cpu_weight: expected a number from 1 to 65535");
}

static struct disk_config d;
static struct vif_config v;

static void good_disk(const char *text)
{
	const char *what = config_disk(text, &d);

	if (what)
		fail_msg("%s: expected %s", text, what);
}

static void test_disks(void **state)
{
	good_disk("/dev/vg/guest-volume,,xvda");
	assert_string_equal(d.target, "/dev/vg/guest-volume");
	assert_string_equal(d.vdev, "xvda");
	assert_int_equal(d.number, 51712);
	assert_false(d.readonly || d.cdrom || d.file || d.no_discard || d.rate || d.iops);
	good_disk("/dev/vg/guest-volume,raw,xvdb1,ro,no-discard");
	assert_true(d.readonly && d.no_discard);
	good_disk("format=raw, vdev=xvda, access=rw, target=/dev/vg/a,b =c");
	assert_string_equal(d.target, "/dev/vg/a,b =c");
	assert_false(d.readonly);
	good_disk("raw:/dev, raw, hda, rw");
	assert_string_equal(d.target, "/dev");
	good_disk("phy:/dev/vg/a,xvda1,w");
	assert_string_equal(d.target, "/dev/vg/a");
	assert_false(d.file);
	good_disk("file:/img,xvda,r");
	assert_true(d.file && d.readonly);
	good_disk("/root/image.iso,,hdc,cdrom");
	assert_true(d.cdrom && d.readonly);
	good_disk("/root/image.iso,,hdc,,devtype=cdrom");
	assert_true(d.cdrom && d.readonly);
	good_disk("ram:64M,,xvda,w,rate=50MB/s,iops=200,untrusted");
	assert_string_equal(d.target, "ram:64M");
	assert_true(d.rate == 50000000 && d.iops == 200 && d.untrusted);
	good_disk("overlay:PARTLABEL=root,,xvda");
	assert_string_equal(d.target, "overlay:PARTLABEL=root");
	good_disk("PARTLABEL=root,,xvda");
	assert_string_equal(d.target, "PARTLABEL=root");
}

static void test_bad_disks(void **state)
{
	static const char *const texts[] = {
		"/dev/vg/a", "/dev/vg/a,elf,xvda", "/dev/vg/a,qcow2,xvda", "/dev/vg/a,raw,sda,x", "/dev/vg/a,raw,foo",
		"colour=red,vdev=xvda", "a,raw,xvda,w,z", ",raw,xvda", "a,,xvda,rate=fast", "a,,xvda,rate=0MB/s", "a,,xvda,iops=0",
		"a,,xvda,backend=other", "a,,xvda,devtype=tape", "a\nb,,xvda", "a,,xvda,PARTLABEL=x",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (!config_disk(texts[i], &d))
			fail_msg("%s is no disk", texts[i]);
	}
	bad(BASE "disk=['/dev/a,raw,foo']", "f:3: disk: expected vdev xvdN");
	bad(BASE "disk=['a,,xvda','b,,d0']", "f:3: disk: expected another vdev");
	bad(BASE "disk=['a,,xvda','a,,xvdb','a,,xvdc','a,,xvdd','a,,xvde','a,,xvdf','a,,xvdg','a,,xvdh','a,,xvdi']",
	    "f:3: disk: expected at most 8 disks");
}

/* xen-vbd-interface(7)'s table, and what xl makes of the largest and of what is beyond. */
static void test_vdevs(void **state)
{
	static const struct { const char *text; u32 number; } known[] = {
		{ "xvda", 202 << 8 }, { "xvda1", 202 << 8 | 1 }, { "xvdb", 202 << 8 | 16 }, { "xvdp15", 202 << 8 | 255 },
		{ "xvda16", 1 << 28 | 16 }, { "xvdq", 1 << 28 | 16 << 8 }, { "xvdz255", 1 << 28 | 25 << 8 | 255 },
		{ "xvdaa", 1 << 28 | 26 << 8 }, { "xvdba", 1 << 28 | 52 << 8 }, { "hda", 3 << 8 }, { "hdb2", 3 << 8 | 64 | 2 },
		{ "hdc", 22 << 8 }, { "hdd63", 22 << 8 | 64 | 63 }, { "sda", 8 << 8 }, { "sdp15", 8 << 8 | 255 }, { "d0", 202 << 8 },
		{ "d1p2", 202 << 8 | 18 }, { "d16p0", 1 << 28 | 16 << 8 }, { "51712", 51712 }, { "268439552", 268439552 },
	};
	static const char *const unknown[] = {
		"", "xvd", "xvd1", "xvda256", "xvda1x", "hde", "hda64", "sdq", "sda16", "d", "d1p", "d1p256", "dx", "xvdzzzzzz", "da", "XVDA",
		"99999999999999999999",
	};
	u32 number;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!config_vdev(known[i].text, &number) || number != known[i].number)
			fail_msg("%s: %u", known[i].text, number);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		if (config_vdev(unknown[i], &number))
			fail_msg("%s is no vdev", unknown[i]);
	}
}

static void good_vif(const char *text)
{
	const char *what = config_vif(text, &v);

	if (what)
		fail_msg("%s: expected %s", text, what);
}

static void test_vifs(void **state)
{
	good_vif("");
	assert_false(v.has_mac || v.isolated || v.unlocked || v.untrusted || v.rate || v.vlan);
	assert_int_equal(v.devid, VIF_DEVID_ANY);
	assert_int_equal(v.mtu, 1500);
	assert_string_equal(v.bridge, "xenbr0");
	good_vif("mac=00:16:3E:aa:bb:cc,bridge=br0,rate=10Mb/s,script=vif-route,type=vif");
	assert_true(v.has_mac && !memcmp(v.mac, "\0\x16\x3e\xaa\xbb\xcc", 6));
	assert_string_equal(v.bridge, "br0");
	assert_true(v.rate == 62500 && v.rate_us == 50000);
	good_vif("rate=1MB/s@20ms, mtu=9000, vlan=7, isolated=1, unlocked=1, trusted=0, ip=10.0.0.2, devid=3, vifname=left");
	assert_true(v.rate == 20000 && v.rate_us == 20000);
	assert_true(v.mtu == 9000 && v.vlan == 7 && v.isolated && v.unlocked && v.untrusted && v.devid == 3);
	assert_string_equal(v.ip, "10.0.0.2");
	assert_string_equal(v.vifname, "left");
	good_vif("untrusted");
	assert_true(v.untrusted);
	good(BASE "vif=['devid=1','','','devid=7']");
	assert_int_equal(c.vif[1].devid, 0);
	assert_int_equal(c.vif[2].devid, 2);
}

static void test_bad_vifs(void **state)
{
	static const char *const texts[] = {
		"mac=00:16:3e:aa:bb", "mac=00:16:3e:aa:bb:cc:dd", "mac=01:16:3e:aa:bb:cc", "bridge", "colour=red", "mtu=67", "mtu=65522", "vlan=0",
		"vlan=4095", "isolated=perhaps", "unlocked=2", "rate=1b/s", "rate=10", "rate=10MB/s@", "rate=10MB/s@1h", "rate=99999999999GB/s", "devid=256",
		"backend=1", "bridge=\n", "bridge=012345678901234567890123456789012345678901234567",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (!config_vif(texts[i], &v))
			fail_msg("%s is no vif", texts[i]);
	}
	bad(BASE "vif=['mac=1']", "f:3: vif: expected mac=XX");
	bad(BASE "vif=['devid=0','devid=0']", "f:3: vif: expected another devid");
}

static void test_generated_macs(void **state)
{
	u8 uuid[16] = { 1, 2, 3 }, a[6], b[6];

	config_generate_mac(uuid, 0, a);
	config_generate_mac(uuid, 0, b);
	assert_memory_equal(a, b, 6);
	assert_memory_equal(a, "\0\x16\x3e", 3);
	config_generate_mac(uuid, 1, b);
	assert_memory_not_equal(a, b, 6);
	uuid[15] = 1;
	config_generate_mac(uuid, 0, b);
	assert_memory_not_equal(a, b, 6);
}

/* A message never leaves its buffer, and is cut. */
static void test_message_size(void **state)
{
	char small[12];

	memset(small, 'x', sizeof(small));
	assert_false(config_parse("a long file name", "memory", 6, &c, small, 8));
	assert_int_equal(strlen(small), 7);
	assert_int_equal(small[8], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_syntax), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_values), cmocka_unit_test(test_cpus), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_disks), cmocka_unit_test(test_bad_disks), cmocka_unit_test(test_vdevs), cmocka_unit_test(test_vifs),
		cmocka_unit_test(test_bad_vifs), cmocka_unit_test(test_generated_macs), cmocka_unit_test(test_message_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
