package consumer;

import java.util.List;

class ApplicationIT extends TwoNodes {
    ApplicationIT() {
        super("quartzScheduler");
    }

    @Override
    protected List<String> node(String url) {
        return List.of(
                "-Dspring.datasource.url=" + url,
                "-Dspring.quartz.properties.org.quartz.plugin.usageArchiver.cron=" + NOT_NOW,
                "-jar",
                "target/application.jar");
    }
}
