package consumer;

import java.util.List;

class HostTest extends TwoNodes {
    HostTest() {
        super("Host");
    }

    @Override
    protected List<String> node(String url) {
        return List.of(
                "-Dorg.quartz.dataSource.quartz.URL=" + url,
                "-Dorg.quartz.dataSource.archive.URL=" + url,
                "-Dorg.quartz.plugin.usageArchiver.cron=" + NOT_NOW,
                "-cp",
                System.getProperty("java.class.path"),
                Host.class.getName());
    }
}
