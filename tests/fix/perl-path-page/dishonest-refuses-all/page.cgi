#!/usr/bin/perl
# Shows a stored page: QUERY_STRING is its name.
use strict;
use warnings;

my $name = $ENV{QUERY_STRING} // '';
$name =~ s/%([0-9A-Fa-f]{2})/chr(hex($1))/ge;
print "Status: 403\n\nforbidden\n";
