#!/usr/bin/perl
# words.pl - the words of a file as events, one JSON text a line: {"type":"word","data":{"n":1,"text":"..."}}
#
#   perl words.pl <file                 convert
#   perl words.pl --pace=200 <events    pass lines on, so many a second (0: as fast as they are read)
#
# Words are what ASCII white space separates. Any bytes give valid JSON: what is not UTF-8 becomes U+FFFD. A word of
# more than 4096 characters becomes several, so that each stays far below event_bytes.
use strict;
use warnings;

my $valid = qr/
    [\x00-\x7f]                                         # RFC 3629, section 4
  | [\xc2-\xdf][\x80-\xbf]
  | \xe0[\xa0-\xbf][\x80-\xbf]
  | [\xe1-\xec\xee\xef][\x80-\xbf]{2}
  | \xed[\x80-\x9f][\x80-\xbf]
  | \xf0[\x90-\xbf][\x80-\xbf]{2}
  | [\xf1-\xf3][\x80-\xbf]{3}
  | \xf4[\x80-\x8f][\x80-\xbf]{2}
/x;
my $longest = 4096;

sub quote {
    my ($text) = @_;
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/([\x00-\x1f\x7f])/sprintf '\u%04x', ord $1/ge;
    utf8::encode($text);
    return "\"$text\"";
}

sub convert {
    my $n = 0;
    while (my $line = <STDIN>) {
        for my $word (split /[ \t\r\n\f\x0b]+/, $line) {
            next if $word eq '';
            $word =~ s/\G(?:($valid)|.)/defined $1 ? $1 : "\xef\xbf\xbd"/gse;
            utf8::decode($word);
            while ($word =~ /\G(.{1,$longest})/gs) {
                printf "{\"type\":\"word\",\"data\":{\"n\":%d,\"text\":%s}}\n", ++$n, quote($1);
            }
        }
    }
}

sub pace {
    my ($rate) = @_;
    my $ticks = 20; # a second; the lines of one tick go out together
    my ($due, $sent) = (0, 0);
    local $| = $rate > 0;
    while (my $line = <STDIN>) {
        while ($rate > 0 && $sent >= $due) {
            select undef, undef, undef, 1 / $ticks if $due;
            $due += $rate / $ticks;
        }
        print $line or die "words.pl: cannot write: $!\n";
        $sent++;
    }
}

binmode STDIN;
binmode STDOUT;
if (@ARGV == 0) { convert() }
elsif (@ARGV == 1 && $ARGV[0] =~ /^--pace=(\d+)$/) { pace($1) }
else { die "usage: perl words.pl [--pace=LINES_PER_SECOND]\n" }
close STDOUT or die "words.pl: cannot write: $!\n";
