package io.usagearchiver.cli;

import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.quartz.Scheduler;
import org.quartz.SchedulerException;
import org.quartz.impl.StdSchedulerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.ParentCommand;

@Command(
        name = "node",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        versionProvider = Main.Version.class,
        description = {
            "Runs a scheduler node of the cluster in FILE until SIGTERM or SIGINT.",
            "On the signal a running batch commits; a statement that still runs after 2 s is cancelled."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:Ended by a signal, within 5 s.",
            "1:The scheduler did not start.",
            "2:Bad usage or settings; nothing was done."
        })
final class NodeCommand implements Callable<Integer> {
    @ParentCommand
    @SuppressWarnings("NullAway.Init")
    private Main main;

    @Mixin
    private ConfigOption option = new ConfigOption();

    @Override
    public Integer call() throws SchedulerException, InterruptedException {
        ConfigFile file = option.read(main.environment());
        file.requireArchivers();
        Properties properties = file.properties();
        properties.setProperty(StdSchedulerFactory.PROP_SCHED_INTERRUPT_JOBS_ON_SHUTDOWN_WITH_WAIT, "true");
        CountDownLatch signal = new CountDownLatch(1);
        Scheduler scheduler = new StdSchedulerFactory(properties).getScheduler();
        main.termination().onSignal(signal::countDown);
        scheduler.start();
        signal.await();
        scheduler.shutdown(true);
        return 0;
    }
}
