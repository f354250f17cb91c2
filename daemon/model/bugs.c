#include "model/bugs.h"

uint32_t qn_bugs;
