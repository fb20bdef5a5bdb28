#!/usr/bin/env node
// The Prisma generator `db-metadata`: `prisma generate` starts it and speaks JSON-RPC over its pipes.
import { serveGenerator } from '../dist/generator/index.js'

serveGenerator()
