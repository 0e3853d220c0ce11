/* filter_language.h: the old name of text/language.h, kept for those who include it. */
#ifndef FT_FILTER_LANGUAGE_H
#define FT_FILTER_LANGUAGE_H

#include "text/language.h"

#endif
