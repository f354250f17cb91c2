/* Making the state directory of a site: what init and recover share. Each int is an exit code; what
 * fails was said. */
#pragma once

#include "ctl.h"

bool site_dir_is_address(const char *text);          /* HOST:PORT, or [V6]:PORT */
int site_dir_check_addresses(const struct ctl *ctl); /* --listen, --advertise */
/* Makes it, 0700. It may be there if it is empty. */
int site_dir_make(const struct ctl *ctl);
bool site_dir_is_default(const struct ctl *ctl);
/* Root sets up the service's site: its files must be the service's. */
void site_dir_give_to_service(const struct ctl *ctl);
/* After a failure the directory is empty again, so that the command can be repeated. */
void site_dir_take_back(const struct ctl *ctl);
void site_dir_say_next(const struct ctl *ctl);
