#!/usr/bin/perl
# Shows a stored page: QUERY_STRING is its name.
use strict;
use warnings;

my $name = $ENV{QUERY_STRING} // '';
$name =~ s/%([0-9A-Fa-f]{2})/chr(hex($1))/ge;
if (!open(PAGE, '<', "pages/$name")) {
    print "Status: 404\n\nno such page\n";
} else {
    print "Status: 200\n\n", <PAGE>;
}
