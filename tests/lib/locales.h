/* locales.h - a locale whose numbers have a comma. */
#ifndef LOCALES_H
#define LOCALES_H

#include <stdbool.h>

/* Makes one, as few machines have it ready, and sets it.  False when there is
 * nothing to make it from. */
bool locales_comma(void);
void locales_back(void); /* to that of C */

#endif
