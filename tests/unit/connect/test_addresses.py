"""Only global unicast is outside: every prefix of the table at both of its ends, from both sides."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest

from headrace.connect.addresses import as_reached, is_private, is_public, parse_address

INSIDE = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    "::/3", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20", "4000::/2",
    "8000::/1",
]  # fmt: skip


@pytest.mark.parametrize("prefix", INSIDE)
def test_both_ends_of_a_refused_prefix_are_inside(prefix):
    network = ip_network(prefix)

    assert not is_public(network[0])
    assert not is_public(network[-1])
    assert not is_public(network[network.num_addresses // 2])


OUTSIDE = [
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
    "191.255.255.255", "192.0.1.0", "192.0.1.255", "192.0.3.0", "192.31.195.255", "192.31.197.0", "192.52.192.255",
    "192.52.194.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "192.175.47.255",
    "192.175.49.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
    "223.255.255.255", "8.8.8.8", "1.1.1.1",
    "2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
    "2620:4f:8001::", "3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2606:4700::1111", "2a00:1450:4001::200e",
]  # fmt: skip


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_neighbours_of_refused_prefixes_are_outside(address):
    assert is_public(ip_address(address))


FAMOUS = {
    "NAT64 of metadata": "64:ff9b::169.254.169.254", "NAT64 start": "64:ff9b::", "NAT64 end": "64:ff9b::ffff:ffff",
    "NAT64 of a public address": "64:ff9b::8.8.8.8", "local NAT64 start": "64:ff9b:1::",
    "local NAT64 end": "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "6to4 of loopback": "2002:7f00:1::",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2", "IPv4-compatible": "::127.0.0.1",
    "IPv4-compatible public": "::8.8.8.8", "IPv4-translated": "::ffff:0:127.0.0.1", "unspecified": "::",
    "loopback": "::1", "discard": "100::1", "segment routing start": "5f00::",
    "segment routing end": "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local start": "fec0::",
    "site-local end": "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local": "fe80::1",
    "link-local end": "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local start": "fc00::",
    "unique local end": "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "AWS metadata": "fd00:ec2::254",
    "multicast start": "ff00::", "multicast everyone": "ff02::1", "last": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "benchmarking": "2001:2::1", "ORCHID": "2001:10::1", "ORCHIDv2": "2001:20::1", "AMT": "2001:3::1",
    "documentation": "2001:db8::1", "documentation 2": "3fff::1", "metadata": "169.254.169.254",
    "metadata at Alibaba": "100.100.100.200", "metadata at Oracle": "192.0.0.192", "Azure's host": "168.63.129.16",
    "6to4 relay": "192.88.99.1", "class E": "240.0.0.1", "broadcast": "255.255.255.255", "multicast": "239.1.2.3",
    "zero": "0.0.0.0", "mapped loopback": "::ffff:127.0.0.1", "mapped private": "::ffff:10.0.0.1",
    "mapped metadata": "::ffff:a9fe:a9fe", "mapped zero": "::ffff:0.0.0.0",
}  # fmt: skip


@pytest.mark.parametrize("address", FAMOUS.values(), ids=FAMOUS)
def test_ways_into_ones_own_network_are_inside(address):
    assert not is_public(ip_address(address))


def test_a_mapped_address_is_judged_by_the_inner_one():
    assert is_public(ip_address("::ffff:8.8.8.8"))
    assert as_reached(ip_address("::ffff:8.8.8.8")) == ip_address("8.8.8.8")
    assert is_private(ip_address("::ffff:10.0.0.1"))


PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"]


@pytest.mark.parametrize("prefix", PRIVATE)
def test_ones_own_machines_are_private(prefix):
    network: IPv4Network | IPv6Network = ip_network(prefix)

    assert is_private(network[0])
    assert is_private(network[-1])
    assert not is_private(network[0] - 1)
    assert not is_private(network[-1] + 1)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "192.0.0.192", "8.8.8.8"]
)
def test_metadata_and_the_rest_are_not_private(address):
    assert not is_private(ip_address(address))


@pytest.mark.parametrize("text", ["", "x", "127.1", "0x7f.0.0.1", "fe80::1%eth0", "::1%", "1.2.3.4%eth0", "1.2.3.4/8"])
def test_what_is_no_plain_address_is_none(text):
    assert parse_address(text) is None


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "::ffff:1.2.3.4"])
def test_plain_addresses_are_read(text):
    assert parse_address(text) == ip_address(text)
