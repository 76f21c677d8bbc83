// SPDX-License-Identifier: GPL-2.0-only
/* A library with one short function among others, as many are. */
#include <linux/device.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "evidence.h"

int ev_sum(const int *values, int count);
int ev_sum(const int *values, int count)
{
	int sum = 0;

	while (count-- > 0)
		sum += *values++;
	return sum;
}
EXPORT_SYMBOL(ev_sum);

int *ev_squares(int count);
int *ev_squares(int count)
{
	int *squares = kcalloc(count, sizeof(*squares), GFP_KERNEL);

	for (int at = 0; squares && at < count; at++)
		squares[at] = at * at;
	return squares;
}
EXPORT_SYMBOL(ev_squares);

void ev_settle(void);
void ev_settle(void)
{
	synchronize_rcu();
}
EXPORT_SYMBOL(ev_settle);
