// Copyright (C) The nginx-osp authors

// Checks objects of Kubernetes, a list of them in JSON on stdin, against the
// schemas of its API in kubernetes-models, a package of npm:
//
//     node check.mjs DIR-OF-PACKAGE <objects.json
//
// A field that the schema does not know is one that it never looked at.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const groups = {
    'v1': 'CoreV1', 'apps/v1': 'AppsV1', 'policy/v1': 'PolicyV1',
};

let wrong = 0;

function complain(object, text) {
    console.log(`${object.kind} ${object.metadata?.name}: ${text}`);
    wrong++;
}

function watched(value, path, seen) {
    if (value === null || typeof value !== 'object') {
        return value;
    }

    return new Proxy(value, {
        get(target, key) {
            const at = typeof key === 'string' ? `${path}/${key}` : path;

            seen.add(at);

            return watched(target[key], at, seen);
        },
    });
}

function* fields(value, path) {
    if (value === null || typeof value !== 'object') {
        return;
    }

    for (const [key, inner] of Object.entries(value)) {
        yield `${path}/${key}`;
        yield* fields(inner, `${path}/${key}`);
    }
}

async function check(object) {
    const group = groups[object.apiVersion];

    if (!group) {
        complain(object, `apiVersion ${object.apiVersion} is not known here`);
        return;
    }

    const name = `IoK8sApi${group}${object.kind}.js`;
    const file = `${process.argv[2]}/_schemas/${name}`;
    const { validate } = await import(pathToFileURL(file));
    const seen = new Set();

    if (!validate(watched(object, '', seen))) {
        for (const error of validate.errors) {
            complain(object, `${error.instancePath} ${error.keyword} `
                     + JSON.stringify(error.params));
        }
    }

    for (const path of fields(object, '')) {
        if (!seen.has(path)) {
            complain(object, `${path} is not known`);
        }
    }
}

for (const object of JSON.parse(readFileSync(0))) {
    await check(object).catch((e) => complain(object, e.message));
}

process.exit(wrong ? 1 : 0);
