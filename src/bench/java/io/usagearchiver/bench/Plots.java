package io.usagearchiver.bench;

import io.usagearchiver.bench.Run.Metric;
import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.VectorGraphicsEncoder.VectorGraphicsFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendPosition;

/** Draws the results. */
record Plots(Results results, Scale scale, Path directory) {
    private static final int WIDTH = 900;
    private static final int HEIGHT = 450;

    void write() throws IOException {
        growth("Time per row, by the size of the hot table", Backlog.NAME, "time-per-row");
        growth(
                "Time per row, while another session holds an old snapshot",
                OldSnapshot.NAME,
                "time-per-row-old-snapshot");
        bars("Latency of the live load during a sweep", LiveTable.NAME, LiveTable.P99, "latency", true);
        bars("Blocks asked for, by row moved", Footprint.NAME, Metric.BLOCKS_PER_ROW.title(), "blocks", false);
        bars("WAL, by row moved", Footprint.NAME, Metric.WAL_BYTES_PER_ROW.title(), "wal", false);
        bars("Audit queries", LeanArchive.NAME, LeanArchive.QUERY_BLOCKS, "lean-archive", true);
    }

    private void growth(String title, String scenario, String file) throws IOException {
        String metric = Metric.MICROSECONDS_PER_ROW.title();
        XYChart chart = new XYChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(title)
                .xAxisTitle("hot rows, in thousands")
                .yAxisTitle(metric)
                .build();
        chart.getStyler().setXAxisLogarithmic(true).setYAxisLogarithmic(true);
        for (String contestant : results.contestants(scenario, metric)) {
            List<Double> sizes = new ArrayList<>();
            List<Double> times = new ArrayList<>();
            for (int rows : scale.backlogs()) {
                OptionalDouble time = results.median(scenario, Backlog.setting(rows), contestant, metric);
                if (time.isPresent()) {
                    sizes.add(rows / 1000.0);
                    times.add(time.getAsDouble());
                }
            }
            chart.addSeries(contestant, sizes, times);
        }
        save(chart, file);
    }

    private void bars(String title, String scenario, String metric, String file, boolean logarithmic)
            throws IOException {
        CategoryChart chart = new CategoryChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(title)
                .yAxisTitle(metric)
                .build();
        Set<String> settings = results.settings(scenario, metric);
        if (logarithmic) {
            double least = results.measurements().stream()
                    .filter(m -> m.scenario().equals(scenario) && m.metric().equals(metric))
                    .mapToDouble(Measurement::value)
                    .min()
                    .orElse(1);
            chart.getStyler().setYAxisLogarithmic(true);
            chart.getStyler().setYAxisMin(Math.pow(10, Math.floor(Math.log10(least))));
        }
        for (String contestant : results.contestants(scenario, metric)) {
            List<@Nullable Double> values = new ArrayList<>();
            for (String setting : settings) {
                OptionalDouble value = results.median(scenario, setting, contestant, metric);
                values.add(value.isPresent() ? value.getAsDouble() : null);
            }
            chart.addSeries(contestant, List.copyOf(settings), values);
        }
        save(chart, file);
    }

    /** A scenario that was not run has no plot. */
    private void save(Chart<? extends AxesChartStyler, ?> chart, String file) throws IOException {
        if (!chart.getSeriesMap().isEmpty()) {
            chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
            chart.getStyler().setChartBackgroundColor(Color.WHITE);
            // Dashes, the default, make a file of hundreds of kilobytes.
            chart.getStyler().setPlotGridLinesStroke(new BasicStroke(0.5f));
            VectorGraphicsEncoder.saveVectorGraphic(
                    chart, directory.resolve(file + ".svg").toString(), VectorGraphicsFormat.SVG);
        }
    }
}
