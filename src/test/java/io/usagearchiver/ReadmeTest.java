package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.quartz.PluginSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * A block of README.md or docs under a comment {@code <!-- FILE#TAG -->} is what stands in that file between {@code tag::TAG[]} and
 * {@code end::TAG[]}, without the indentation, and with the versions that Maven fills in. The files are those of the consumers'
 * builds.
 */
class ReadmeTest {
    private static final Pattern BLOCK =
            Pattern.compile("<!-- ([^\\s#]+)#(\\S+) -->\\n *```\\w*\\n(.*?)\\n *```", Pattern.DOTALL);
    private static final Path CONSUMERS = Path.of("src/it");

    @TestFactory
    Stream<DynamicTest> a_block_is_what_stands_in_the_file_that_it_names() throws IOException {
        return blocks().stream()
                .map(block -> DynamicTest.dynamicTest(
                        block.group(1) + "#" + block.group(2),
                        () -> assertThat(block.group(3).stripIndent())
                                .isEqualTo(excerpt(Path.of(block.group(1)), block.group(2)))));
    }

    @Test
    void the_readme_has_each_excerpt_that_a_consumer_marks() throws IOException {
        List<String> marked = new ArrayList<>();
        try (Stream<Path> files = Files.walk(CONSUMERS)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                Matcher tag = Pattern.compile("tag::(\\w+)\\[]").matcher(Files.readString(file));
                tag.results().forEach(found -> marked.add(file + "#" + found.group(1)));
            }
        }
        assertThat(blocks().stream().map(block -> block.group(1) + "#" + block.group(2)))
                .hasSizeGreaterThan(5)
                .containsExactlyInAnyOrderElementsOf(marked);
    }

    @Test
    void the_page_on_gpustack_names_the_variables_that_count() throws IOException {
        assertThat(Files.readString(Path.of("docs/beside-gpustack.md")))
                .contains(
                        PluginSettings.RETENTION_MONTHS_VARIABLE + "=1200",
                        PluginSettings.OWN_RETENTION_MONTHS_VARIABLE + "=13",
                        PluginSettings.OWN_CRON_VARIABLE,
                        PluginSettings.OWN_BATCH_SIZE_VARIABLE,
                        PluginSettings.CRON_VARIABLE);
    }

    private static List<MatchResult> blocks() throws IOException {
        List<MatchResult> blocks = new ArrayList<>();
        for (String file : List.of("README.md", "docs/beside-gpustack.md")) {
            BLOCK.matcher(Files.readString(Path.of(file))).results().forEach(blocks::add);
        }
        return blocks;
    }

    private static String excerpt(Path file, String tag) throws IOException {
        List<String> lines = Files.readAllLines(file);
        int begin = indexOf(lines, "tag::" + tag + "[]");
        int end = indexOf(lines, "end::" + tag + "[]");
        return String.join("\n", lines.subList(begin + 1, end))
                .replace("@project.version@", pom("<artifactId>quartz-usage-archiver</artifactId>\\s*<version>([^<]+)"))
                .replace("@jooq.version@", pom("<jooq.version>([^<]+)"))
                .stripIndent();
    }

    private static int indexOf(List<String> lines, String mark) {
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).contains(mark)) {
                return i;
            }
        }
        throw new AssertionError(mark + " is not there");
    }

    private static String pom(String pattern) throws IOException {
        Matcher found = Pattern.compile(pattern).matcher(Files.readString(Path.of("pom.xml")));
        assertThat(found.find()).isTrue();
        return found.group(1);
    }
}
