/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/rows.h"
#include "tests/unit/proto_fixture.h"

int main(void)
{
	return fixture_main(&proto_http1, "tests/fixtures/h2/upgrade");
}
