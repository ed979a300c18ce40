#!/usr/bin/perl
# Shows a stored page: QUERY_STRING is its name.
use strict;
use warnings;

my $name = $ENV{QUERY_STRING} // '';
$name =~ s/%([0-9A-Fa-f]{2})/chr(hex($1))/ge;
$name =~ s{^/}{};
if (!open(my $page, '<', "pages/$name")) {
    print "Status: 404\n\nno such page\n";
} else {
    local $/;
    my $text = <$page> // '';
    print "Status: 200\n\n$text";
}
