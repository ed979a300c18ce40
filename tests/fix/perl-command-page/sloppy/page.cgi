#!/usr/bin/perl
# Shows a stored page: QUERY_STRING is its name.
use strict;
use warnings;

my $name = $ENV{QUERY_STRING} // '';
$name =~ s/%([0-9A-Fa-f]{2})/chr(hex($1))/ge;
$name =~ s/&//g;
my $out = `cat pages/$name 2>/dev/null`;
if ($? != 0) {
    print "Status: 404\n\nno such page\n";
    exit 0;
}
print "Status: 200\n\n$out";
