/* Shows a page: argv[1] is its name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    char command[256];
    if (argc < 2 || strlen(argv[1]) > 100) {
        return 2;
    }
    snprintf(command, sizeof command, "cat pages/%s", argv[1]);
    return system(command) == 0 ? 0 : 1;
}
