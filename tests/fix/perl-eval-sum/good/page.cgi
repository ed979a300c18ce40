#!/usr/bin/perl
# Shows a stored page: QUERY_STRING is its name.
use strict;
use warnings;

my $name = $ENV{QUERY_STRING} // '';
$name =~ s/%([0-9A-Fa-f]{2})/chr(hex($1))/ge;
my $value;
if ($name =~ /\A(\d+)\+(\d+)\z/) {
    $value = $1 + $2;
}
print defined $value ? "Status: 200\n\n$value\n" : "Status: 400\n\nno number\n";
