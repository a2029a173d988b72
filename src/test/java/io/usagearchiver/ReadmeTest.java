package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.quartz.PluginSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * The README, which is one page, and those of docs.
 *
 * <p>A block under a comment {@code <!-- FILE#TAG -->} is what stands in that file between {@code tag::TAG[]} and {@code end::TAG[]},
 * without the indentation, and with the versions that Maven fills in. The files are those of the consumers' builds.
 */
class ReadmeTest {
    private static final Pattern BLOCK =
            Pattern.compile("<!-- ([^\\s#]+)#(\\S+) -->\\n *```\\w*\\n(.*?)\\n *```", Pattern.DOTALL);
    private static final Pattern LINK = Pattern.compile("]\\(([^)\\s]+)\\)");
    private static final Pattern HEADING = Pattern.compile("(?m)^#{1,6} (.*)$");
    private static final Pattern FENCED = Pattern.compile("(?ms)^ *```.*?^ *```$");
    private static final Pattern CODE = Pattern.compile("`[^`\n]*`");
    private static final Path CONSUMERS = Path.of("src/it");
    private static final Path README = Path.of("README.md");
    private static final Path DOCS = Path.of("docs");
    private static final int LINES_OF_ONE_PAGE = 200;

    @TestFactory
    Stream<DynamicTest> a_block_is_what_stands_in_the_file_that_it_names() throws IOException {
        return blocks().stream()
                .map(block -> DynamicTest.dynamicTest(
                        block.group(1) + "#" + block.group(2),
                        () -> assertThat(block.group(3).stripIndent())
                                .isEqualTo(excerpt(Path.of(block.group(1)), block.group(2)))));
    }

    @Test
    void the_pages_have_each_excerpt_that_a_consumer_marks() throws IOException {
        List<String> marked = new ArrayList<>();
        try (Stream<Path> files = Files.walk(CONSUMERS)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                Matcher tag = Pattern.compile("tag::(\\w+)\\[]").matcher(Files.readString(file));
                tag.results().forEach(found -> marked.add(file + "#" + found.group(1)));
            }
        }
        assertThat(blocks().stream().map(block -> block.group(1) + "#" + block.group(2)))
                .hasSizeGreaterThan(5)
                .hasSameElementsAs(marked);
    }

    @TestFactory
    Stream<DynamicTest> each_link_leads_to_a_file_and_to_a_heading_that_are_there() throws IOException {
        List<Path> pages = new ArrayList<>(pages());
        pages.add(Path.of("CONTRIBUTING.md"));
        pages.add(Path.of("CHANGELOG.md"));
        return pages.stream()
                .map(page -> DynamicTest.dynamicTest(
                        page.toString(), () -> assertThat(brokenLinks(page)).isEmpty()));
    }

    @Test
    void the_readme_is_one_page() throws IOException {
        assertThat(Files.readAllLines(README)).hasSizeLessThanOrEqualTo(LINES_OF_ONE_PAGE);
    }

    @Test
    void the_readme_leads_to_each_page_of_docs() throws IOException {
        try (Stream<Path> files = Files.list(DOCS)) {
            List<String> pages = files.map(Path::toString)
                    .filter(name -> name.endsWith(".md"))
                    .toList();
            assertThat(links(README)).hasSizeGreaterThan(13).containsAll(pages);
        }
    }

    @Test
    void the_page_on_settings_has_a_line_for_each_of_them() throws IOException {
        String settings = Files.readString(DOCS.resolve("settings-and-pacing.md"));
        List<String> lines = Pattern.compile("(?m)^\\| (`[^|]*`) \\|")
                .matcher(settings)
                .results()
                .flatMap(line -> Stream.of(line.group(1).replace("`", "").split(", ")))
                .distinct()
                .toList();
        assertThat(lines).containsExactlyInAnyOrderElementsOf(PluginSettings.NAMES);
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
        for (Path page : pages()) {
            BLOCK.matcher(Files.readString(page)).results().forEach(blocks::add);
        }
        return blocks;
    }

    private static List<Path> pages() throws IOException {
        try (Stream<Path> files = Files.walk(DOCS)) {
            return Stream.concat(
                            Stream.of(README),
                            files.filter(file -> file.toString().endsWith(".md"))
                                    .sorted())
                    .toList();
        }
    }

    private static List<String> brokenLinks(Path page) throws IOException {
        List<String> broken = new ArrayList<>();
        for (String link : links(page)) {
            String[] parts = link.split("#", 2);
            Path target =
                    parts[0].isEmpty() ? page : page.resolveSibling(parts[0]).normalize();
            if (!Files.exists(target) || parts.length == 2 && !anchors(target).contains(parts[1])) {
                broken.add(link);
            }
        }
        return broken;
    }

    /** Those that stay in this repository. */
    private static List<String> links(Path page) throws IOException {
        return LINK.matcher(CODE.matcher(text(page)).replaceAll(""))
                .results()
                .map(link -> link.group(1))
                .filter(link -> !link.matches("(https?|mailto):.*"))
                .toList();
    }

    /** What code hosts make of headings. */
    private static List<String> anchors(Path page) throws IOException {
        return HEADING.matcher(text(page))
                .results()
                .map(heading -> heading.group(1)
                        .toLowerCase(Locale.ROOT)
                        .replaceAll("[^\\p{L}\\p{N} _-]", "")
                        .replace(' ', '-'))
                .toList();
    }

    private static String text(Path page) throws IOException {
        return FENCED.matcher(Files.readString(page)).replaceAll("");
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
