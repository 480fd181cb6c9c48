#!/usr/bin/perl
# reserve-port.pl COMMAND...: picks a port of 127.0.0.1 that is free for TCP and UDP, reserves it, and becomes COMMAND
# with KDC_PORT set. A KDC_PORT that is set already is taken as it is, or refused.
#
# Why: krb5kdc sets SO_REUSEPORT, so that two of them can bind one port without an error and answer each other's
# requests. The reservation is an abstract socket: its name is unique where the port is (in the network namespace,
# for all users), COMMAND and what it starts inherit it, and it is gone when they are.
use strict;
use warnings;
use Socket;

$^F = 255;    # descriptors stay open across exec

sub port_is_free {
    my ($port) = @_;
    for my $type (SOCK_STREAM, SOCK_DGRAM) {
        socket(my $probe, AF_INET, $type, 0) or die "socket: $!\n";
        # Connections of an earlier KDC in TIME_WAIT are no obstacle; a listener still is one.
        setsockopt($probe, SOL_SOCKET, SO_REUSEADDR, 1) if $type == SOCK_STREAM;
        bind($probe, pack_sockaddr_in($port, INADDR_LOOPBACK)) or return 0;
    }
    return 1;
}

# Below the range from which the kernel serves outgoing connections and listeners on port 0.
my @candidates = $ENV{KDC_PORT} ? ($ENV{KDC_PORT}) : map { 20000 + int rand 12000 } 1 .. 200;
for my $port (@candidates) {
    socket(my $reservation, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\n";
    next unless bind($reservation, pack_sockaddr_un("\0krb5-testenv-port-$port")) && port_is_free($port);
    $ENV{KDC_PORT} = $port;
    exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
}
die "reserve-port: no free port among @candidates\n";
