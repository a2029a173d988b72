package io.usagearchiver;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.AccessTarget.CodeUnitAccessTarget;
import com.tngtech.archunit.core.domain.AccessTarget.FieldAccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaCodeUnitReference;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * That the compiled classes find what they use in the jOOQ and the Quartz beside them, which may be others than they were
 * compiled with: a host brings its own.
 */
class LinkageTest {
    private static final ClassLoader OWN = LinkageTest.class.getClassLoader();

    @Test
    void all_that_is_used_of_jooq_and_quartz_is_there() {
        List<AccessTarget> used = new ClassFileImporter()
                        .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                        .importPackagesOf(Archiver.class)
                        .stream()
                        .flatMap(LinkageTest::targets)
                        .filter(target -> target.getOwner().getName().matches("org\\.(jooq|quartz)\\..*"))
                        .distinct()
                        .toList();

        assertThat(used).hasSizeGreaterThan(200);
        assertThat(used.stream().filter(target -> !isThere(target)).map(AccessTarget::getFullName))
                .isEmpty();
    }

    private static Stream<AccessTarget> targets(JavaClass type) {
        return Stream.concat(
                type.getAccessesFromSelf().stream().map(JavaAccess::getTarget),
                type.getCodeUnitReferencesFromSelf().stream().map(JavaCodeUnitReference::getTarget));
    }

    private static boolean isThere(AccessTarget target) {
        try {
            return isIn(Class.forName(target.getOwner().getName(), false, OWN), target);
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    /** As a JVM looks it up: with its very types, in the class and all above it. */
    private static boolean isIn(Class<?> type, AccessTarget target) {
        return members(type).anyMatch(signature(target)::equals)
                || Stream.concat(Stream.ofNullable(type.getSuperclass()), Stream.of(type.getInterfaces()))
                        .anyMatch(above -> isIn(above, target));
    }

    private static Stream<String> members(Class<?> type) {
        return Stream.of(
                        Stream.of(type.getDeclaredFields())
                                .map(field ->
                                        field.getName() + " " + field.getType().getName()),
                        Stream.of(type.getDeclaredConstructors())
                                .map(constructor -> signature("<init>", constructor.getParameterTypes(), void.class)),
                        Stream.of(type.getDeclaredMethods())
                                .map(method -> signature(
                                        method.getName(), method.getParameterTypes(), method.getReturnType())))
                .flatMap(members -> members);
    }

    private static String signature(String name, Class<?>[] parameters, Class<?> result) {
        return name + Stream.of(parameters).map(Class::getName).toList() + result.getName();
    }

    private static String signature(AccessTarget target) {
        if (target instanceof CodeUnitAccessTarget unit) {
            return unit.getName()
                    + unit.getRawParameterTypes().stream()
                            .map(JavaClass::getName)
                            .toList()
                    + unit.getRawReturnType().getName();
        }
        return target.getName() + " "
                + ((FieldAccessTarget) target).getRawType().getName();
    }
}
