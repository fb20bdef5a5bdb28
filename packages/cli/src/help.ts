/** What `orgdb --help` says. */
export const help = `orgdb migrate COMMAND [options]

  create NAME           write the next migration and its rollback from the Prisma schema
                        [--description TEXT] [--empty]
  lint                  hold pending migrations against the rules [--offline: all of the folder]
  plan                  what is pending, statement by statement, with locks and sizes
  deploy                apply what is pending [--to NAME] [--dry-run: the same as plan]
  rollback              take back the latest [--steps N | --to NAME] [--allow-data-loss]
  status                where everything stands
  verify                every migration up, back and up again in a scratch database
  drift                 what of the database no migration has made
  baseline              take migrations as applied, --to NAME
  resolve NAME WHAT     applied, rolled-back, statement-done, statement-repeat or repeat-data
  repair                checksums of comment-only edits, invalid indexes
  reset                 empty the database and deploy anew; asks for its name [--confirm NAME]

Options of all
  --url URL             default: DATABASE_URL and its companions, see the configuration of @org/db-core
  --directory PATH      default: prisma/migrations
  --prisma-schema PATH  default: prisma/schema if it is there, else prisma/schema.prisma
  --environment NAME    development, testing, staging or production
  --json                one JSON object on standard output
  --help

Exit codes: 0 done, 1 failed, 2 pending, different or with findings, 3 refused, 4 another runner is at work
`
