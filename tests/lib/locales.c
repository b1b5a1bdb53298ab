/* locales.c - see locales.h. */
#include "locales.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

bool locales_comma(void)
{
    char command[800];
    const char *dir = check_dir();
    snprintf(command, sizeof command,
             "localedef -i de_DE -f UTF-8 --no-archive %s/de_DE.UTF-8"
             " >/dev/null 2>&1",
             dir);
    setenv("LOCPATH", dir, 1);
    return system(command) == 0 && setlocale(LC_ALL, "de_DE.UTF-8") &&
           *localeconv()->decimal_point == ',';
}

void locales_back(void)
{
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
}
