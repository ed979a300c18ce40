/* Shows a page: argv[1] is its name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    char path[256];
    char line[256];
    if (argc < 2 || strlen(argv[1]) > 100) {
        return 2;
    }
    snprintf(path, sizeof path, "pages/%s", argv[1]);
    FILE *page = strstr(argv[1], "..") ? NULL : fopen(path, "r");
    if (page == NULL) {
        return 1;
    }
    while (fgets(line, sizeof line, page)) {
        fputs(line, stdout);
    }
    return 0;
}
