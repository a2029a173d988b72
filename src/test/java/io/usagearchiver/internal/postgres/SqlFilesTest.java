package io.usagearchiver.internal.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SqlFilesTest {
    @Test
    void the_files_are_those_of_the_librarys_own_tables_and_of_no_others_with_such_names() {
        assertThat(SqlFiles.toMake("public.metered_usage_archive")).contains("sql/examples/metered-usage.sql");
        assertThat(SqlFiles.toMake("billing.metered_usage")).doesNotContain("sql/examples");
        assertThat(SqlFiles.toGrant("permission denied for table resource_events"))
                .contains("sql/examples/grants.sql");
        assertThat(SqlFiles.toGrant("permission denied for table tenant_resource_events"))
                .doesNotContain("sql/");
        assertThat(SqlFiles.granted("GRANT INSERT ON public.resource_events_archive TO mover"))
                .isEqualTo(" (sql/examples/grants.sql)");
        assertThat(SqlFiles.granted("GRANT INSERT ON public.other TO usage_archive_rw"))
                .isEmpty();
        assertThat(SqlFiles.granted("GRANT SELECT ON public.usage_archive_hold TO metered_usage_mover"))
                .isEqualTo(" (sql/04-grants.sql)");
        assertThat(SqlFiles.granted("GRANT USAGE ON SCHEMA public TO mover")).isEqualTo(" (sql/04-grants.sql)");
    }
}
