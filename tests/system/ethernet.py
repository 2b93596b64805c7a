# SPDX-License-Identifier: MIT
"""A station on an Ethernet of QEMU's (-netdev socket): answers ARP, pings and questions for names, and notes what it has seen."""
import socket
import struct
import threading

MAC = bytes.fromhex("525400000077")
ARP, IPV4, TAG = 0x0806, 0x0800, 0x8100
ICMP, UDP, DNS_PORT = 1, 17, 53


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pseudo(packet, protocol, length):
    return packet[12:20] + struct.pack("!BBH", 0, protocol, length)


class Station:
    def __init__(self, address, names):
        """names: what the questions are answered with; QEMU connects to self.port."""
        self.address, self.names = socket.inet_aton(address), names
        self.asked, self.tags, self.wrong_sums = [], {}, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        self.wire = self.listener.accept()[0]
        try:
            while True:
                length, = struct.unpack("!I", self.take(4))
                self.frame(self.take(length))
        except OSError:
            pass

    def take(self, n):
        data = b""
        while len(data) < n:
            part = self.wire.recv(n - len(data))
            if not part:
                raise OSError("QEMU is gone")
            data += part
        return data

    def send(self, to, tag, kind, content):
        head = to + MAC + (struct.pack("!HH", TAG, tag) if tag is not None else b"") + struct.pack("!H", kind)
        frame = (head + content).ljust(60, b"\0")
        self.wire.sendall(struct.pack("!I", len(frame)) + frame)

    def frame(self, frame):
        kind, tag, content = struct.unpack("!H", frame[12:14])[0], None, frame[14:]
        if kind == TAG:
            tag, kind = struct.unpack("!HH", frame[14:18])
            content = frame[18:]
        source = frame[6:12]
        if kind == ARP and content[6:8] == b"\0\1" and content[24:28] == self.address:
            self.send(source, tag, ARP, content[:6] + b"\0\2" + MAC + self.address + source + content[14:18])
        if kind == IPV4 and content[16:20] == self.address:
            self.tags[tag] = self.tags.get(tag, 0) + 1
            self.packet(source, tag, content[:struct.unpack("!H", content[2:4])[0]])

    def packet(self, source, tag, packet):
        protocol, data = packet[9], packet[20:]
        sums = checksum(packet[:20]), checksum(data if protocol == ICMP else pseudo(packet, protocol, len(data)) + data)
        if any(sums):
            self.wrong_sums.append((protocol, sums))
        if protocol == ICMP and data[0] == 8:
            self.answer(source, tag, packet, b"\0\0" + struct.pack("!H", checksum(b"\0\0\0\0" + data[4:])) + data[4:])
        elif protocol == UDP and struct.unpack("!H", data[2:4])[0] == DNS_PORT:
            body = self.name(data[8:])
            head = data[2:4] + data[0:2] + struct.pack("!HH", 8 + len(body), 0)
            self.answer(source, tag, packet, head + body)

    def answer(self, source, tag, packet, data):
        head = packet[:2] + struct.pack("!H", 20 + len(data)) + packet[4:10] + b"\0\0" + self.address + packet[12:16]
        self.send(source, tag, IPV4, head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data)

    def name(self, question):
        """One A record, or NXDOMAIN."""
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(labels).lower()
        self.asked.append((name, question[:2]))
        known = name in self.names
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(self.names[name]) if known else b""
        return question[:2] + (b"\x81\x80" if known else b"\x81\x83") + struct.pack("!HHHH", 1, known, 0, 0) + question[12:at + 5] + record
