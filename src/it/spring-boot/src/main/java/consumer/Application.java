package consumer;

import org.quartz.JobDetail;
import org.quartz.Trigger;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;

/** An application with a job of its own. Of the archiver it has the jar and the lines in application.properties. */
@SpringBootApplication
public class Application {
    /** Runs a node until SIGTERM. */
    public static void main(String[] args) {
        SpringApplication.run(Application.class, args);
    }

    @Bean
    JobDetail hostJob() {
        return HostJob.job("springNonTxDataSource.quartzScheduler");
    }

    @Bean
    Trigger hostTrigger(JobDetail hostJob) {
        return HostJob.trigger(hostJob);
    }
}
