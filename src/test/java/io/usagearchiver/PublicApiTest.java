package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import java.io.IOException;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What users may call, held against the list that is checked in, so that no change of it is an accident. After a change
 * that is meant: {@code mvn test -Dtest=PublicApiTest -DpublicApi.write}, and the change goes into CHANGELOG.md.
 */
class PublicApiTest {
    private static final Path LIST = Path.of("src/test/resources/public-api.txt");
    private static final List<String> NOT_FOR_CALLERS = List.of(
            "io.usagearchiver.cli",
            "io.usagearchiver.internal",
            "io.usagearchiver.generated",
            "io.usagearchiver.demo",
            "io.usagearchiver.testing");

    @Test
    void the_public_api_is_the_one_that_is_written_down() throws IOException {
        List<String> api = api();
        if (System.getProperty("publicApi.write") != null) {
            Files.write(LIST, api);
        }
        assertThat(api)
                .as("the public API; if the change is meant: mvn test -Dtest=PublicApiTest -DpublicApi.write")
                .isEqualTo(Files.readAllLines(LIST));
    }

    private static List<String> api() {
        List<String> lines = new ArrayList<>();
        new ClassFileImporter()
                .withImportOption(new DoNotIncludeTests()).importPackages("io.usagearchiver").stream()
                        .filter(PublicApiTest::isForCallers)
                        .map(JavaClass::reflect)
                        .sorted((a, b) -> a.getName().compareTo(b.getName()))
                        .forEach(type -> {
                            lines.add(type.toGenericString());
                            members(type)
                                    .map(member -> "    " + member)
                                    .sorted()
                                    .forEach(lines::add);
                        });
        return lines;
    }

    private static boolean isForCallers(JavaClass type) {
        return NOT_FOR_CALLERS.stream().noneMatch(name -> type.getPackageName().startsWith(name))
                && type.getModifiers().contains(JavaModifier.PUBLIC)
                && type.getEnclosingClass().map(PublicApiTest::isForCallers).orElse(true)
                && !type.getSimpleName().isEmpty()
                && !type.getSimpleName().equals("package-info");
    }

    private static Stream<String> members(Class<?> type) {
        Stream<? extends AnnotatedElement> members = Stream.of(
                        type.getDeclaredConstructors(), type.getDeclaredMethods(), type.getDeclaredFields())
                .flatMap(Arrays::stream);
        return members.map(Member.class::cast)
                .filter(member -> !member.isSynthetic())
                .filter(member -> Modifier.isPublic(member.getModifiers())
                        || (Modifier.isProtected(member.getModifiers()) && !Modifier.isFinal(type.getModifiers())))
                .map(PublicApiTest::describe);
    }

    private static String describe(Member member) {
        if (member instanceof Field field) {
            return field.toGenericString();
        }
        Executable executable = (Executable) member;
        return executable instanceof Method method
                ? method.toGenericString()
                : ((Constructor<?>) executable).toGenericString();
    }
}
