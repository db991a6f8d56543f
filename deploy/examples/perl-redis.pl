#!/usr/bin/perl
# perl-redis.pl STREAM USER - progress of long work from Perl, straight to Redis. Needs libredis-perl (Redis.pm) and the scripts' texts:
#   mkdir scripts; for s in open publish beat; do ssectl script show $s >scripts/$s.lua; done
# sse-resilience-redis(7) explains the calls.
use strict;
use warnings;
use Digest::SHA qw(sha1_hex);
use JSON::PP qw(encode_json);
use Redis;
use Time::HiRes qw(sleep time);

@ARGV == 2 or do { print STDERR "usage: perl-redis.pl STREAM USER\n"; exit 64 };
my ($id, $user) = @ARGV;
my @policy = (1000, 3600000, 300000);    # log_events, stream_ttl, completion_ttl: as in sse-resilience.conf
my @keys = ('sse:active', 'sse:orphaned', map { "sse:$_:$id" } qw(stream completion events viewers));
my ($redis, $ended, $n, $last_sign) = (undef, 0, 0, 0);
my %text = map {
    open my $handle, '<:raw', ($ENV{SSE_SCRIPTS} || 'scripts') . "/$_.lua" or die(($ENV{SSE_SCRIPTS} || 'scripts'), "/$_.lua: $!\n");
    local $/;
    $_ => scalar <$handle>;
} qw(open publish beat);
open my $random, '<:raw', '/dev/urandom' or die "urandom: $!";
read $random, my $bytes, 8;
my $producer = unpack 'H*', $bytes;      # with n it tells Redis a repeat from something new

# Call a script until Redis answers. An error never means "not stored": the same call again is harmless.
sub call {
    my ($script, @args) = @_;
    my ($text, $end, $reply) = ($text{$script}, time + 20);
    until ($reply) {
        eval {
            $redis ||= Redis->new(sock => $ENV{SSE_REDIS} || '/run/redis/redis-server.sock', cnx_timeout => 2, read_timeout => 4, write_timeout => 4);
            $reply = eval { $redis->evalsha(sha1_hex($text), 6, @keys, @args) };
            die $@ if !$reply && $@ !~ /NOSCRIPT/;
            $reply ||= $redis->eval($text, 6, @keys, @args);    # Redis lost its cache of scripts
            1;
        } or do {                        # no connection, no answer in time, OOM, READONLY, LOADING ...
            undef $redis;
            die $@ if time > $end;
            sleep 0.2;
        };
    }
    $last_sign = time;
    return @$reply if $reply->[0] >= 0 || $script eq 'beat';
    $ended = 1 if $reply->[0] == -2;     # by somebody else
    die "$script of $id was refused: @$reply\n";
}

# Store one event. completed, failed and cancelled end the stream.
sub emit {
    my ($type, $data) = @_;
    call('publish', $id, "sse:channel:$id", $user, 1, $producer, ++$n, @policy, $type, encode_json($data));
    $ended = 1 if $type =~ /^(completed|failed|cancelled)$/;
}

my (undef, $lease) = call('open', $id, "sse:channel:$id", '', $user, '', 1, @policy);

# Call it as often as you like in long silence: it beats when that is due, or the guardian would take this program for dead.
sub alive {
    return if time - $last_sign < ($ENV{SSE_BEAT} || 10);
    my ($code) = call('beat', '', 'sse:channel:', @policy, $id, $lease, '');
    die "$id has ended, or another producer has taken it: $code\n" if abs $code != 1;
}

$SIG{$_} = sub { exit 143 } for qw(TERM HUP INT);    # or END would not run
my $reason;
$SIG{__DIE__} = sub { $reason = $_[0] =~ s/( at \S+ line \d+\.)?\n\z//r unless $^S; };    # its user will see it: no paths
END {                                                # after die and exit, too
    my $status = $?; local $?;                       # the exit code stays
    undef $redis;                                    # a call may have been cut half-way: its reply must not be taken for the next one's
    eval { emit('failed', { reason => $reason || "exit $status" }) } || warn $@ if $lease && !$ended;
}

for my $part (1 .. 5) {
    for (my $until = time + ($ENV{PACE} || 1); time < $until; sleep 0.02) { alive() }    # the work
    die "no more rows\n" if $part == 3 && ($ENV{DIE} || '') eq 'exception';
    exit 3 if $part == 3 && ($ENV{DIE} || '') eq 'exit';
    emit('progress', { part => $part, of => 5 });
}
emit('completed', { rows => 1200 });
