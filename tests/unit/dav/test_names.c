#include <criterion/criterion.h>

#include "dav/media.h"
#include "dav/names.h"
#include "support/span.h"

Test(dav_names, litter_of_file_managers_is_known)
{
    const char *litter[] = {"._a.txt",     ".DS_Store",   "Thumbs.db",    "thumbs.db",
                            "desktop.ini", "Desktop.ini", "~$report.docx"};
    const char *plain[] = {"a.txt", ".hidden", "_x", "DS_Store", "my Thumbs.db", "~backup", "$a"};
    for (size_t i = 0; i < sizeof(litter) / sizeof(litter[0]); i++)
        cr_assert(qn_dav_name_is_litter(qn_span_str(litter[i])), "%s", litter[i]);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        cr_assert_not(qn_dav_name_is_litter(qn_span_str(plain[i])), "%s", plain[i]);
    cr_assert(qn_dav_name_is_virtual(SPAN(".metadata_never_index")));
    cr_assert_not(qn_dav_name_is_virtual(SPAN(".metadata")));
}

Test(dav_names, a_type_goes_by_the_ending_and_pages_are_never_harmless)
{
    cr_assert_str_eq(qn_dav_media_type(SPAN("a.b.PDF")), "application/pdf");
    cr_assert_str_eq(qn_dav_media_type(SPAN("pdf")), "application/octet-stream");
    cr_assert_str_eq(qn_dav_media_type(SPAN("a.")), "application/octet-stream");
    cr_assert_str_eq(qn_dav_media_type(SPAN("")), "application/octet-stream");
    const char *pages[] = {"a.html", "a.svg", "a.xml", "a.xhtml", "a.js", "a.pdf", "a"};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        cr_assert_not(qn_dav_media_is_harmless(qn_dav_media_type(qn_span_str(pages[i]))));
    cr_assert(qn_dav_media_is_harmless(qn_dav_media_type(SPAN("a.jpg"))));
}
