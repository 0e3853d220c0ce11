/* stop.h: ending long work at a good place: the first SIGINT or SIGTERM asks, the second one ends
 * the program at once, as the first does elsewhere.
 *
 *     cli_stop_begin();
 *     while (!cli_stop_asked() && more work) …
 *     cli_stop_end();                              // signals end the program again
 */
#ifndef FT_CLI_STOP_H
#define FT_CLI_STOP_H

void cli_stop_begin(void);
int cli_stop_asked(void);
void cli_stop_end(void);

#endif
